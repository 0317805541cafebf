package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forgedLog is a log in the hands of somebody who has read docs/internals/format.md and may write its
// files. Each frame is without its checksum, which is made anew when the log is written.
type forgedLog struct {
	dir      string
	id       []byte
	segments []forgedSegment
}

type forgedSegment struct {
	path   string
	first  uint64
	frames [][]byte
}

// The offsets in a frame.
const (
	frameCommit   = 8
	framePosition = 16
	frameSynced   = 32
	framePrev     = 40
)

func readForged(t *testing.T, dir string) *forgedLog {
	t.Helper()
	format, err := os.ReadFile(filepath.Join(dir, "log", "FORMAT"))
	if err != nil {
		t.Fatal(err)
	}
	l := &forgedLog{dir: dir}
	_, rest, _ := bytes.Cut(format, []byte("\nid "))
	if l.id, err = hex.DecodeString(string(rest[:32])); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", strings.Repeat("[0-9]", 20)))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := forgedSegment{path: path}
		if _, err := fmt.Sscanf(filepath.Base(path), "%d", &s.first); err != nil {
			t.Fatal(err)
		}
		for len(data) > 0 {
			n, k := binary.Uvarint(data)
			s.frames = append(s.frames, bytes.Clone(data[k:k+int(n)-4]))
			data = data[k+int(n):]
		}
		l.segments = append(l.segments, s)
	}
	return l
}

// write makes all checksums anew.
func (l *forgedLog) write(t *testing.T) {
	t.Helper()
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, s := range l.segments {
		var data []byte
		for _, frame := range s.frames {
			place := binary.LittleEndian.AppendUint64(bytes.Clone(l.id), s.first)
			place = binary.LittleEndian.AppendUint64(place, uint64(len(data)))
			data = binary.AppendUvarint(data, uint64(len(frame)+4))
			data = append(data, frame...)
			data = binary.LittleEndian.AppendUint32(data, crc32.Update(crc32.Checksum(place, table), table, frame))
		}
		if err := os.WriteFile(s.path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// relink makes the chain anew, from the second frame of segment i on to the end of segment j.
func (l *forgedLog) relink(i, j int) {
	var prev []byte
	for _, s := range l.segments[i : j+1] {
		for _, frame := range s.frames {
			if prev != nil {
				copy(frame[framePrev:], prev)
			}
			sum := sha256.Sum256(frame)
			prev = sum[:]
		}
	}
}

// edit changes what the first job of a frame is to do.
func edit(frame []byte) { frame[len(frame)-20] ^= 1 }

// add changes the number at an offset of a frame.
func add(frame []byte, offset, n int) {
	b := frame[offset:]
	binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)+uint64(n))
}

// verifies runs log verify and returns its exit code and all that it prints.
func verifies(t *testing.T, dir string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command("queuectl", append([]string{"--dir", dir, "log", "verify"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// largeLog makes a log of three segments, which begin with commits 1, 6 and 10, and returns its head.
func largeLog(t *testing.T) (dir, head string) {
	t.Helper()
	dir = t.TempDir()
	file := filepath.Join(dir, "job.json")
	for i := range 9 {
		command := strings.Repeat("x", 40<<10)
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"id":"job%d","command":%q}`, i, command), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("queuectl", "--dir", dir+"/q", "enqueue", "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	code, out := verifies(t, dir+"/q", "-q")
	if code != 0 {
		t.Fatal(out)
	}
	return dir + "/q", strings.TrimSpace(out)
}

// TestTampering_IsCaughtAndNamed: whoever changes history, with all checksums right, is found out by
// the chain; what the chain cannot show, a head that was noted elsewhere does.
func TestTampering_IsCaughtAndNamed(t *testing.T) {
	t.Parallel()
	dir, head := largeLog(t)
	if n := len(readForged(t, dir).segments); n != 3 {
		t.Fatalf("the log has %d segments, and the test needs 3", n)
	}
	const chain = "it follows another commit than the one before it (hash chain)"
	for _, row := range []struct {
		name   string
		forge  func(l *forgedLog)
		commit int    // that is named; 0 = the log is sound in itself
		reason string // that is given; of the head, if the log is sound
	}{
		{"untouched", func(*forgedLog) {}, 0, ""},
		{"a commit edited", func(l *forgedLog) { edit(l.segments[0].frames[1]) }, 3, chain},
		{"the last commit of a segment edited", func(l *forgedLog) { edit(last(l.segments[0].frames)) }, 6, chain},
		{"a commit deleted", func(l *forgedLog) {
			l.segments[0].frames = slices.Delete(l.segments[0].frames, 1, 2)
		}, 2, "the frame of commit 3 stands here"},
		{"a commit deleted, and those behind it numbered anew", func(l *forgedLog) {
			l.segments[0].frames = slices.Delete(l.segments[0].frames, 1, 2)
			for _, frame := range l.segments[0].frames[1:] {
				add(frame, frameCommit, -1)
				add(frame, framePosition, -1)
				add(frame, frameSynced, -1)
			}
		}, 2, chain},
		{"two commits exchanged", func(l *forgedLog) {
			f := l.segments[0].frames
			f[1], f[2] = f[2], f[1]
		}, 2, "the frame of commit 3 stands here"},
		{"a commit put in", func(l *forgedLog) {
			l.segments[0].frames = slices.Insert(l.segments[0].frames, 2, bytes.Clone(l.segments[0].frames[1]))
		}, 3, "the frame of commit 2 stands here"},
		{"a commit put in, with the right number", func(l *forgedLog) {
			another := bytes.Clone(l.segments[0].frames[1])
			add(another, frameCommit, 1)
			add(another, framePosition, 1)
			l.segments[0].frames = slices.Insert(l.segments[0].frames, 2, another)
		}, 3, chain},
		{"two segments exchanged", func(l *forgedLog) {
			l.segments[0].frames, l.segments[1].frames = l.segments[1].frames, l.segments[0].frames
		}, 1, "the frame of commit 6 stands here"},
		{"a segment replaced, with its own chain", func(l *forgedLog) {
			edit(l.segments[1].frames[0])
			l.relink(1, 1)
		}, 10, chain},
		{"a segment emptied", func(l *forgedLog) { l.segments[1].frames = nil }, 6, "what is between is missing"},
		{"everything written anew behind an edit", func(l *forgedLog) {
			edit(l.segments[0].frames[1])
			l.relink(0, 2)
		}, 0, "history was rewritten: the log does not have the head " + head},
		{"the newest commit edited", func(l *forgedLog) { edit(last(l.segments[2].frames)) }, 0, "history was rewritten"},
		{"the newest commit cut off, and nobody knows", func(l *forgedLog) {
			l.segments[2].frames = l.segments[2].frames[:len(l.segments[2].frames)-1]
			_ = os.Remove(filepath.Join(l.dir, "log", "durable"))
		}, 0, "the newest commits are missing: the log ends before the head " + head},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			copied := filepath.Join(t.TempDir(), "q")
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			l := readForged(t, copied)
			row.forge(l)
			l.write(t)
			code, out := verifies(t, copied)
			named := fmt.Sprintf("(commit %d, position %d)", row.commit, row.commit)
			switch {
			case row.commit == 0 && (code != 0 || !strings.Contains(out, "The log is sound.")):
				t.Fatalf("without the head: exit code %d\n%s", code, out)
			case row.commit > 0 && (code != exitDamaged || !strings.Contains(out, named) || !strings.Contains(out, row.reason)):
				t.Fatalf("exit code %d, want %d, %s, %q\n%s", code, exitDamaged, named, row.reason, out)
			case row.commit > 0:
				return
			}
			want := exitDamaged
			if row.reason == "" {
				want, row.reason = 0, "is in the log"
			}
			if code, out := verifies(t, copied, "--head", head); code != want || !strings.Contains(out, row.reason) {
				t.Errorf("with the head: exit code %d, want %d and %q\n%s", code, want, row.reason, out)
			}
		})
	}
}

func last[T any](list []T) T { return list[len(list)-1] }
