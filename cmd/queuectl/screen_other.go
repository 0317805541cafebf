//go:build !windows

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// useScreen goes to the other screen of the terminal. restore goes back.
func useScreen(f *os.File) (restore func(), err error) {
	_, err = printer{f}.Write([]byte(enterScreen))
	return func() {
		_, _ = f.WriteString(leaveScreen) // there is nowhere else to say that it failed
	}, err
}

// resizes tells when the terminal may have another size.
func resizes() (resized <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGWINCH)
	return signals, func() { signal.Stop(signals) }
}
