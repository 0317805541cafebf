package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// answer is what the process was told about an append.
type answer string

const (
	committed answer = "committed"
	notThere  answer = "not committed"
	unknown   answer = "unknown"
)

// answerOf says what an error of Append means, as its documentation has it.
func answerOf(err error) (answer, error) {
	switch {
	case err == nil:
		return committed, nil
	case errors.Is(err, ErrUnknown):
		return unknown, nil
	case damaged(err) != nil:
		return notThere, errors.New("the log is said to be damaged")
	}
	for _, known := range []error{ErrDiskFull, ErrTooLarge, ErrReadOnly, ErrClosed, ErrNewer, ErrNotCommitted} {
		if errors.Is(err, known) {
			return notThere, nil
		}
	}
	return notThere, errors.New("an answer that is not documented")
}

func init() {
	roles["append whatever happens"] = func(t *testing.T, args []string) {
		tell("begun")
		if len(args) > 1 {
			limitProcess(t, args[1], args[2])
		}
		runtime.LockOSThread() // strace counts the calls of each thread
		h := &handle{state: &ledger{}}
		for range 20 { // more than there are threads
			var err error
			h.Log, err = Open(t.Context(), args[0], h.state, Options{Create: created, SegmentSize: faultySegment})
			if err == nil {
				break
			}
			h.Log, h.state = nil, &ledger{}
			tell("not opened: %v", err)
			if damaged(err) != nil {
				tell("wrong: the log is said to be damaged: %v", err)
			}
		}
		for k := 0; h.Log != nil && k < faultyAppends; k++ {
			attempt(t, h, k)
		}
		for k := faultyAppends; h.Log != nil && k < faultyAppends+faultyMore; k++ {
			if attempt(t, h, k) == committed {
				tell("works")
				break
			}
		}
		if h.Log != nil {
			tell("closed: %v", h.Close())
		}
		tell("done")
	}
}

// attempt appends an event, looks at the log, and tells of both.
func attempt(t *testing.T, h *handle, k int) answer {
	tell("try %d", k)
	err := h.Append(t.Context(), h.proposes(strconv.Itoa(k)+" "+strings.Repeat("x", faultySize)))
	a, wrong := answerOf(err)
	tell("%s %d: %v", a, k, err)
	if wrong != nil {
		tell("wrong: %v: %v", wrong, err)
	}
	var lines []string
	if err := h.View(t.Context(), func(Head) { lines = slices.Clone(h.state.lines) }); err == nil {
		tell("saw %s", strings.Join(shortened(lines), "|"))
	} else {
		tell("saw nothing: %v", err)
	}
	if damage := h.Damage(); damage != nil {
		tell("wrong: the log is said to be damaged: %v", damage)
	}
	return a
}

// shortened leaves of each line what is before the padding.
func shortened(lines []string) []string {
	short := slices.Clone(lines)
	for i := range short {
		short[i], _, _ = strings.Cut(short[i], " ")
	}
	return short
}

// tell is say with another system call: a fault of write must not keep the test from what the process was told.
func tell(format string, args ...any) {
	line := strings.ReplaceAll(fmt.Sprintf("say "+format, args...), "\n", "; ")
	_, err := unix.Writev(1, [][]byte{[]byte(line + "\n")})
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Writev(1, [][]byte{[]byte(line + "\n")})
	}
	if err != nil {
		panic(err) // the test would draw the wrong conclusions
	}
}

// told is what a process has said.
type told struct {
	answers map[int]answer // by number of the append
	saw     [][]string     // the lines of each view
	wrong   []string
	works   bool // it could append in the end
	begun   bool // the program was loaded
	done    bool // it came to its end
}

func understand(lines []string) told {
	r := told{answers: map[int]answer{}}
	for _, line := range lines {
		verb, rest, _ := strings.Cut(line, " ")
		number := func(s string) int { n, _ := strconv.Atoi(strings.TrimSuffix(strings.Fields(s)[0], ":")); return n }
		switch {
		case verb == "try":
			r.answers[number(rest)] = unknown // until it is told
		case verb == "committed":
			r.answers[number(rest)] = committed
		case strings.HasPrefix(line, string(notThere)):
			r.answers[number(strings.TrimPrefix(line, string(notThere)))] = notThere
		case verb == "saw" && !strings.HasPrefix(line, "saw nothing"):
			r.saw = append(r.saw, strings.FieldsFunc(rest, func(c rune) bool { return c == '|' }))
		case verb == "wrong:":
			r.wrong = append(r.wrong, rest)
		case line == "works":
			r.works = true
		case line == "begun":
			r.begun = true
		case line == "done":
			r.done = true
		}
	}
	return r
}

// faultJudge compares what a process was told with the log that it left.
type faultJudge struct {
	fault  fault
	run    faultyRun
	dir    string
	wrong  []string
	mended int
}

func (j *faultJudge) fail(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

func (j *faultJudge) judge(t *testing.T) {
	j.wrong = j.run.wrong
	j.judgeEnd()
	h := &handle{state: &ledger{}}
	var err error
	h.Log, err = Open(t.Context(), j.dir, h.state, Options{Create: created, SegmentSize: faultySegment})
	if err != nil {
		j.fail("it cannot be opened afterwards: %v", err)
		return
	}
	defer h.Close()
	if damage := h.Damage(); damage != nil {
		j.fail("it is damaged afterwards: %v", damage)
		return
	}
	var lines []string
	if err := h.View(t.Context(), func(Head) { lines = slices.Clone(h.state.lines) }); err != nil {
		j.fail("it cannot be viewed afterwards: %v", err)
		return
	}
	lines = shortened(lines)
	j.judgeLines(lines)
	if err := h.Append(t.Context(), h.proposes("after")); err != nil {
		j.fail("nothing can be appended afterwards: %v", err)
	}
	j.mended = len(h.TakeRepairs())
	if err := h.Close(); err != nil {
		j.fail("it cannot be closed afterwards: %v", err)
	}
	report, err := Verify(t.Context(), j.dir, VerifyOptions{})
	if err != nil || len(report.Damage) > 0 || report.Torn != nil || report.Events != uint64(len(lines))+1 {
		j.fail("verify: %+v, %v; want a sound log of %d events", report, err, len(lines)+1)
	}
}

// judgeEnd checks how the process ended.
func (j *faultJudge) judgeEnd() {
	var exit *exec.ExitError
	killed := errors.As(j.run.err, &exit) && j.fault.error == "SIGKILL" && j.run.fired
	// The runtime gives up if it cannot write to its own pipe, which is not told from the files of a log that is being made.
	runtimes := j.fault.scene == "create" && strings.Contains(j.fault.call+j.fault.then, "write")
	if !killed && !runtimes && j.run.begun && (j.run.err != nil || !j.run.done) {
		j.fail("the process ended with %v", j.run.err)
	}
	_, err := os.Stat(filepath.Join(j.dir, logDir))
	if len(j.run.answers) > 0 && err != nil {
		j.fail("the log that was opened: %v", err)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.fail("stat: %v", err)
	}
	// A fault that is over must not be felt for ever, but for one that takes the right to write.
	if j.fault.once() && j.run.done && !j.run.works && j.fault.error != "EROFS" {
		j.fail("nothing can be appended any more, though only one call failed")
	}
}

// judgeLines checks the answers against the events of the log.
func (j *faultJudge) judgeLines(lines []string) {
	there, previous := map[int]bool{}, -1
	for _, line := range lines {
		_, data, _ := strings.Cut(line, ":")
		k, err := strconv.Atoi(data)
		switch {
		case err != nil: // from before
		case k <= previous:
			j.fail("append %d stands behind %d", k, previous)
		default:
			there[k], previous = true, k
			if j.run.answers[k] == "" {
				j.fail("append %d is there, and was not tried", k)
			}
		}
	}
	for k, a := range j.run.answers {
		if a == committed && !there[k] {
			j.fail("append %d was acknowledged and is not there", k)
		}
		if a == notThere && there[k] {
			j.fail("append %d was refused and is there", k)
		}
	}
	// Without a sync nothing is durable, and so nothing may be acknowledged, though it is there.
	if j.fault.hopeless() && slices.Contains(slices.Collect(maps.Values(j.run.answers)), committed) {
		j.fail("a commit was acknowledged, though every sync failed")
	}
	want := map[string]int{"create": 1, "append": 3, "recover": 3}[j.fault.scene]
	if before := len(lines) - len(there); before != want {
		j.fail("%d events from before are there, not %d", before, want)
	}
	for _, saw := range j.run.saw {
		if len(saw) > len(lines) || !slices.Equal(saw, lines[:len(saw)]) {
			j.fail("it was shown %q, and the log has %q", saw, lines)
		}
	}
}
