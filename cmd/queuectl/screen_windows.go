package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// useScreen lets the console obey what is printed to it and goes to its other screen. restore goes back.
func useScreen(f *os.File) (restore func(), err error) {
	console := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING); err != nil {
		return nil, err
	}
	_, err = printer{f}.Write([]byte(enterScreen))
	return func() {
		_, _ = f.WriteString(leaveScreen) // there is nowhere else to say that it failed
		_ = windows.SetConsoleMode(console, mode)
	}, err
}

// resizes says nothing: a console has no signal for it, and the next tick looks at its size.
func resizes() (resized <-chan os.Signal, stop func()) { return nil, func() {} }
