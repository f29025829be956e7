package main

import "sluice"

const (
	// Sessions of one worker that are remembered; of others, everything is asked anew.
	sessionsMax = 8192
	// Sessions that memory is got for at once.
	chunkSize = 256
	// Of four names, with what is around them.
	namesSizeMax = 4*nameSizeMax + 64
)

// What does not change while a session lasts. It has no pointers, and its memory is used again:
// thousands of small objects would make a collection of garbage use all of a call's fuel.
type session struct {
	// It may send queries. True of those that were there before the plugin.
	isOpen bool
	// Its user, database and address are known.
	isKnown bool
	matches bool
	// The request whose statement ended last, and which of its text that was, from 1.
	request   uint64
	statement uint64
	// The members of a record that name it.
	names     [namesSizeMax]byte
	namesSize int
}

type sessionTable struct {
	places map[uint64]int
	chunks []*[chunkSize]session
	free   []int
	// For one that cannot be remembered.
	spare session
}

var sessions = sessionTable{places: map[uint64]int{}}

// begin remembers a client that has connected.
func (all *sessionTable) begin(number uint64) {
	all.add(number).isOpen = false
}

// of is the session of the event, until the next call.
func (all *sessionTable) of(number uint64) *session {
	if place, found := all.places[number]; found {
		return all.at(place)
	}
	return all.add(number)
}

// end forgets a session; what it was can be used until the next call.
func (all *sessionTable) end(number uint64) {
	if place, found := all.places[number]; found {
		delete(all.places, number)
		all.free = append(all.free, place)
	}
}

func (all *sessionTable) at(place int) *session {
	return &all.chunks[place/chunkSize][place%chunkSize]
}

func (all *sessionTable) add(number uint64) *session {
	one := &all.spare
	if number != 0 && len(all.places) < sessionsMax {
		place := all.takePlace()
		all.places[number] = place
		one = all.at(place)
	}
	one.isOpen, one.isKnown = true, false
	one.request, one.statement = 0, 0
	return one
}

func (all *sessionTable) takePlace() int {
	if len(all.free) == 0 {
		first := len(all.chunks) * chunkSize
		all.chunks = append(all.chunks, new([chunkSize]session))
		for place := first + chunkSize - 1; place >= first; place-- {
			all.free = append(all.free, place)
		}
	}
	place := all.free[len(all.free)-1]
	all.free = all.free[:len(all.free)-1]
	return place
}

// isAudited says whether the settings want records of this user in this database.
func (one *session) isAudited() bool {
	if !one.isKnown {
		one.learn()
	}
	return one.matches
}

func (one *session) learn() {
	made := &record{bytes: one.names[:0]}
	one.matches = made.matchingField("user", sluice.FieldUser, settings.users)
	if !made.matchingField("database", sluice.FieldDatabase, settings.databases) {
		one.matches = false
	}
	made.field("client", sluice.FieldClientAddress, nameSizeMax)
	made.field("listener", sluice.FieldListener, nameSizeMax)
	one.namesSize = len(made.bytes)
	// Without a StartupMessage there is no user yet.
	one.isKnown = one.isOpen
}

// matchingField adds a field, and says whether it is like one of the patterns.
func (made *record) matchingField(name string, field sluice.FieldNumber, patterns []string) bool {
	value, _, found := fieldStart(field)
	if found {
		made.text(name, value, nameSizeMax)
	}
	return len(patterns) == 0 || matchesAny(patterns, string(value))
}

// nextStatement is which statement of the request's text has ended, from 1.
func (one *session) nextStatement(request uint64) uint64 {
	if one.request != request {
		one.request = request
		one.statement = 0
	}
	one.statement++
	return one.statement
}
