package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/queuectl/queuectl/eventlog"
)

// unfit are the commands that no fuzzer may run: they start processes, call strangers, read what never ends, or go
// on until they are told to stop. What comes before they begin is looked at all the same.
var unfit = []string{
	"demo", "doctor", "hook-post", "log follow", "play", "restore", "selftest", "watch", "worker start",
}

// FuzzCommandLine: whatever is typed, nothing panics; who is refused gets exit code 2 (125 from what waits), and a
// message that no terminal takes for a command; no queue is made for a line that does not fit the command, and nothing
// is in the log of one whose rules have refused it.
func FuzzCommandLine(f *testing.F) {
	const every = 10 // parsing a line takes milliseconds
	for i, line := range typedInScripts(f) {
		if i%every == 0 {
			f.Add(line)
		}
	}
	f.Add("list\x00\x1b]0;owned\a\x00--\u202e")
	f.Add("enqueue\x00--wait\x00--delay\x00\u009b31m\x00--\x00true")
	files := openStreams(f)
	for _, name := range []string{"DIR", "OUTPUT", "QUIET", "REASON", "LOG_LEVEL", "LOG_FORMAT", "NO_COLOR", "ALLOW_NETWORK_FS"} {
		f.Setenv("QUEUECTL_"+name, "")
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "/dev/") {
			return // some can be read for ever
		}
		files.rewind(t)
		s := newSession(files.in, files.out, files.err)
		dir := filepath.Join(t.TempDir(), "q")
		err := tryLine(t, s, strings.Split(line, "\x00"), dir)
		code := s.finish(t.Context(), err)
		f := s.explain(err)
		if err == nil || f.exit != exitUsage && f.code != "usage" && f.code != "invalid" {
			return
		}
		if code != exitUsage && code != exitCannotWait {
			t.Errorf("%q is refused with %d", line, code)
		}
		if _, err := os.Lstat(dir); err == nil && f.code == "usage" {
			t.Errorf("%q is refused, and there is a queue", line)
		} else if err == nil {
			checkNothingIsIn(t, line, dir)
		}
		files.checkMessage(t, s.machineErrors)
	})
}

// tryLine parses a line and, if it may, runs it in dir.
func tryLine(t *testing.T, s *session, args []string, dir string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command, err := s.parse(args)
	if errors.Is(err, errHelp) || err == nil && unfitToRun(command, args) {
		return nil
	}
	if err != nil {
		if f := s.explain(err); f.code != "usage" {
			t.Errorf("%q is not parsed: %s, %v", args, f.code, err)
		}
		return err
	}
	s.dir = dir
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run()
	if ctx.Err() != nil {
		t.Errorf("%q does not end: is it unfit?", args)
	}
	return err
}

func unfitToRun(command *kong.Context, args []string) bool {
	name := strings.TrimPrefix(commandName(command, nil), "queuectl ")
	return waits("queuectl "+name, args) && name != "wait" ||
		slices.ContainsFunc(unfit, func(u string) bool { return name == u || strings.HasPrefix(name, u+" ") })
}

// checkNothingIsIn fails if there is more in a log than its beginning.
func checkNothingIsIn(t *testing.T, line, dir string) {
	report, err := eventlog.Verify(t.Context(), dir, eventlog.VerifyOptions{})
	if err != nil || report.Head.Position > 1 {
		t.Errorf("%q is refused, and the log has %d events (%v)", line, report.Head.Position, err)
	}
}

// streams are what a command reads and writes.
type streams struct{ in, out, err *os.File }

func openStreams(f *testing.F) streams {
	open := func(name string) *os.File {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { file.Close() })
		return file
	}
	return streams{open(os.DevNull), open(os.DevNull), open(filepath.Join(f.TempDir(), "stderr"))}
}

func (s streams) rewind(t *testing.T) {
	if err := s.err.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.err.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
}

// checkMessage checks what was said to somebody who was refused.
func (s streams) checkMessage(t *testing.T, asJSON bool) {
	text, err := os.ReadFile(s.err.Name())
	if err != nil {
		t.Fatal(err)
	}
	if asJSON {
		var said struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(text, &said); err != nil || said.Error.Code == "" || said.Error.Message == "" {
			t.Errorf("said %q (%v)", text, err)
		}
		return
	}
	if said, _, _ := strings.Cut(string(text), "\n"); len(strings.TrimPrefix(said, "queuectl: error: ")) == len(said) {
		t.Errorf("said %q", text)
	}
	for _, r := range string(text) {
		const zeroWidthJoiner = '\u200d'
		if !unicode.IsPrint(r) && r != '\n' && r != zeroWidthJoiner {
			t.Errorf("%U in what was said: %q", r, text)
		}
	}
}

var typed = regexp.MustCompile(`(?m)^(?:! )?(?:exec|exits \d+|eventually \S+) queuectl(.*)$`)

// typedInScripts returns the command lines in the scripts, each once, with a NUL between two arguments. Variables stay as
// they are.
func typedInScripts(f *testing.F) (lines []string) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, match := range typed.FindAllStringSubmatch(string(text), -1) {
			var words []string
			for i, part := range strings.Split(match[1], "'") { // what is quoted comes at odd places
				if i%2 == 1 {
					words = append(words, part)
				} else {
					words = append(words, strings.Fields(part)...)
				}
			}
			lines = append(lines, strings.Join(words, "\x00"))
		}
	}
	return unique(lines)
}
