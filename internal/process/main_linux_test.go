package process

import (
	"os"
	"runtime"
	"testing"
)

// first runs what it gets on the first thread of the process, which is TestMain's.
var first = make(chan func())

func TestMain(m *testing.M) {
	runtime.LockOSThread()
	code := make(chan int)
	go func() { code <- m.Run() }()
	for {
		select {
		case fn := <-first:
			fn()
		case code := <-code:
			os.Exit(code)
		}
	}
}
