package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestAnswer_OnlyYesIsYes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"y\n": true, "yes": true, " YES \r\n": true, "\n": false, "": false, "n\n": false, "yesterday\n": false, "\ny\n": false} {
		s := session{stdin: strings.NewReader(text), stderr: nowhere(t)}
		if yes, err := s.answer(t.Context()); yes != want || err != nil {
			t.Errorf("%q: %v, %v", text, yes, err)
		}
	}
}

// Who is interrupted does not wait for an answer that may never come.
func TestAnswer_IsNotWaitedForAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	in, nobody := io.Pipe()
	defer nobody.Close() // only now the reader may end
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	s := session{stdin: in, stderr: nowhere(t)}
	if yes, err := s.answer(ctx); yes || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", yes, err)
	}
}

// nowhere is a file that keeps nothing.
func nowhere(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
