package main

import (
	"fmt"
	"sluice"
	"strconv"
	"strings"
)

// What of a query's text is recorded.
const (
	textNone       = "none"
	textNormalised = "normalised"
	textFull       = "full"
)

// The manifest's schema has checked all of it, and has filled in the defaults.
var settings struct {
	queryText     string
	queryTextMax  int
	errorMessages bool
	sessions      bool
	log           bool
	users         []string
	databases     []string
	kinds         map[string]bool
	minDurationUS uint64
	sampleRate    float64
}

func readSettings() error {
	settings.queryText, _ = sluice.Config("queryText")
	settings.errorMessages = isTrue("errorMessages")
	settings.sessions = isTrue("sessions")
	settings.log = isTrue("log")
	settings.users = list("users")
	settings.databases = list("databases")
	settings.kinds = map[string]bool{}
	for _, kind := range list("kinds") {
		settings.kinds[strings.ToUpper(kind)] = true
	}
	var err error
	if settings.queryTextMax, err = integer("queryTextMax"); err != nil {
		return err
	}
	minDurationMS, err := number("minDurationMs")
	settings.minDurationUS = uint64(minDurationMS * 1000)
	if err != nil {
		return err
	}
	settings.sampleRate, err = number("sampleRate")
	return err
}

func isTrue(path string) bool {
	value, _ := sluice.Config(path)
	return value == "true"
}

func list(path string) []string {
	var all []string
	for {
		item, found := sluice.Config(path + "." + strconv.Itoa(len(all)))
		if !found {
			return all
		}
		all = append(all, item)
	}
}

func number(path string) (float64, error) {
	text, _ := sluice.Config(path)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("the key %q is missing: is the manifest beside the module?", path)
	}
	return value, nil
}

func integer(path string) (int, error) {
	value, err := number(path)
	return int(value), err
}

// matchesAny says whether a name is like one of the patterns, in which * is any text.
func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if matches(pattern, name) {
			return true
		}
	}
	return false
}

func matches(pattern, name string) bool {
	first, rest, hasStar := strings.Cut(pattern, "*")
	if !hasStar {
		return pattern == name
	}
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], after
	}
}
