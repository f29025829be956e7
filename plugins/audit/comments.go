package main

import "bytes"

// withoutComments takes the comments out of a normalised text, which may hold anything, and what is
// left between quotes, of which there should be nothing. It is done in place.
func withoutComments(text []byte) []byte {
	kept := text[:0]
	for at := 0; at < len(text); {
		one := text[at]
		switch {
		case one == '-' && at+1 < len(text) && text[at+1] == '-':
			at += lineEnd(text[at:])
		case one == '/' && at+1 < len(text) && text[at+1] == '*':
			at += commentEnd(text[at:])
			kept = append(kept, ' ')
		case one == '"':
			end := at + quotedEnd(text[at:])
			kept = append(kept, text[at:end]...)
			at = end
		case one == '\'':
			// What was read is at least as long as what is written here.
			at += quotedEnd(text[at:])
			kept = append(kept, '?')
		default:
			kept = append(kept, one)
			at++
		}
	}
	return bytes.TrimSpace(kept)
}

func lineEnd(text []byte) int {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return end
	}
	return len(text)
}

// Comments of this kind can be within one another.
func commentEnd(text []byte) int {
	depth := 0
	for at := 0; at+1 < len(text); at++ {
		switch {
		case text[at] == '/' && text[at+1] == '*':
			depth++
			at++
		case text[at] == '*' && text[at+1] == '/':
			depth--
			at++
		}
		if depth == 0 {
			return at + 1
		}
	}
	return len(text)
}

// quotedEnd is behind the quote that ends what the first byte begins. Two quotes are one.
func quotedEnd(text []byte) int {
	for at := 1; at < len(text); at++ {
		if text[at] != text[0] {
			continue
		}
		if at+1 == len(text) || text[at+1] != text[0] {
			return at + 1
		}
		at++
	}
	return len(text)
}
