package main

import (
	"fmt"
	"time"
)

// progress shows on a terminal how far something long has come: did says in one word what was done with
// the bytes.
func (s *session) progress(did string) func(done, total int64) {
	const worthIt = 64 << 20 // less is done in a moment
	if !s.errTerminal || s.quiet {
		return nil
	}
	begun := time.Now()
	return func(done, total int64) {
		if total < worthIt {
			return
		}
		left := ""
		if took := time.Since(begun); took > time.Second && done > 0 {
			left = ", " + roughly(time.Duration(float64(took)*float64(total-done)/float64(done))) + " left"
		}
		fmt.Fprintf(s.stderr, "\r%s %s of %s%s\x1b[K", did, size(done), size(total), left)
		if done >= total {
			fmt.Fprint(s.stderr, "\r\x1b[K")
		}
	}
}
