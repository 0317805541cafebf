package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// confirm asks a person. Where there is none, --yes must have been said.
func (s *session) confirm(ctx context.Context, question string) error {
	if !s.attended() {
		return usage("this removes something, and nobody can be asked", "say --yes, or --dry-run to see what it would do")
	}
	fmt.Fprintf(s.stderr, "%s [y/N] ", question)
	yes, err := s.answer(ctx)
	if err != nil {
		return err
	}
	if !yes {
		s.hint("nothing was changed")
		return exitCode(exitFailed)
	}
	return nil
}

// answer reads whether somebody agrees.
func (s *session) answer(ctx context.Context) (yes bool, err error) {
	line, err := interruptibly(ctx, func() (string, error) { return bufio.NewReader(s.stdin).ReadString('\n') })
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(s.stderr)
		return false, ctx.Err()
	case err != nil && err != io.EOF:
		return false, fmt.Errorf("read answer: %w", err)
	}
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(line))), nil
}

// attended says that there is a person who can be asked.
func (s *session) attended() bool {
	in, isFile := s.stdin.(*os.File)
	return isFile && s.errTerminal && term.IsTerminal(int(in.Fd()))
}
