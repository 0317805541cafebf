package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// needsStrace stands in the table where syncs or system calls could not be counted.
const needsStrace = "needs strace"

// call is one system call, when it returned.
type call struct {
	name   string
	args   string // as strace writes them, with the paths of descriptors
	failed bool
	began  int // line of the trace
}

// mark returns the word that child.leave left, "" if the call is something else.
func (c call) mark() string {
	if c.name != "write" || !strings.Contains(c.args, "</dev/null") {
		return ""
	}
	_, word, _ := strings.Cut(c.args, `"`)
	word, _, _ = strings.Cut(word, `"`)
	return word
}

func (c call) sync() bool { return c.name == "fdatasync" || c.name == "fsync" }

// onLog says whether a segment is synced.
func (c call) onLog() bool { return segmentSync.MatchString(c.args) }

var (
	segmentSync = regexp.MustCompile(`/(log|sealed)/\d{20}>`)
	straceLine  = regexp.MustCompile(`^(?:\d+ +)?(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$`)
)

// traced has strace see a process work, and returns its calls in the order in which they returned.
func (l *lab) traced(name string, work load) ([]call, error) {
	trace := filepath.Join(l.dir, "trace")
	work.Mark = os.DevNull
	if _, err := l.under([]string{l.strace, "-f", "-y", "-o", trace}, 1, name, work); err != nil {
		return nil, err
	}
	return readTrace(trace)
}

// tracedCommand is traced for any command.
func (l *lab) tracedCommand(words ...string) ([]call, error) {
	trace := filepath.Join(l.dir, "trace")
	if _, err := timed(l.strace, append([]string{"-f", "-y", "-o", trace}, words...)...); err != nil {
		return nil, err
	}
	return readTrace(trace)
}

func readTrace(path string) (calls []call, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	begun := map[string]call{} // by thread and name, the beginning of a call that has not returned
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			continue // a signal or an end
		}
		thread, _, _ := strings.Cut(line, " ")
		c := call{name: m[1] + m[2], args: m[3], began: number}
		if m[1] != "" {
			c = begun[thread+c.name]
			c.args += m[3]
		}
		if start, unfinished := strings.CutSuffix(c.args, "<unfinished ...>"); unfinished {
			c.args = start
			begun[thread+c.name] = c
			continue
		}
		c.failed = strings.Contains(c.args, ") = -1 ")
		calls = append(calls, c)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("strace saw nothing in %s", path)
	}
	return calls, nil
}

// syncs has strace see a process answer N times, and returns how many syncs of segments there were for an answer. It is an
// error if an answer came before a sync could have made it durable: one that began after it was asked for must have
// returned. Where nobody asked, as for the claim of a handler, there may be only as many answers for each sync as can wait
// for one at a time.
func (l *lab) syncs(name string, work load) (string, error) {
	if l.strace == "" {
		return needsStrace, nil
	}
	calls, err := l.traced(name, work)
	if err != nil {
		return "", err
	}
	begun, syncs, answers, latest := false, 0, 0, 0 // latest: when the last began of those that have returned
	asked := map[string]int{}
	for _, c := range calls {
		word, number, _ := strings.Cut(c.mark(), " ")
		switch {
		case word == "begin":
			begun = true
		case !begun:
		case word == "asked":
			asked[number] = c.began
		case c.sync() && c.onLog() && !c.failed:
			syncs++
			latest = max(latest, c.began)
		case word == "answer":
			answers++
			if at := asked[number]; answers > syncs*max(work.Slots, 1) || at > latest {
				return "", fmt.Errorf("%s: answer %d came after %d syncs, none of which began after it was asked for: it was not durable", name, answers, syncs)
			}
		}
	}
	if answers != work.N {
		return "", fmt.Errorf("%s: strace saw %d answers, not %d", name, answers, work.N)
	}
	return fmt.Sprintf("%.2f a job", float64(syncs)/float64(answers)), nil
}
