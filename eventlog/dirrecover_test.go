package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tailOf returns the path and the contents of the last segment.
func tailOf(t testing.TB, dir string) (path string, data []byte) {
	t.Helper()
	names := segmentsIn(t, filepath.Join(dir, logDir))
	path = filepath.Join(dir, logDir, names[len(names)-1])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// takenBack appends a commit with the given data, takes it back as if it had never been, and
// returns its bytes.
func takenBack(t testing.TB, dir, data string) []byte {
	t.Helper()
	path, before := tailOf(t, dir)
	marks, err := os.ReadFile(filepath.Join(dir, logDir, durableFile))
	if err != nil {
		t.Fatal(err)
	}
	h := openDirLog(t, dir, Options{})
	h.append(t, data)
	h.Close()
	_, after := tailOf(t, dir)
	put(t, path, before)
	put(t, filepath.Join(dir, logDir, durableFile), marks)
	return after[len(before):]
}

// appendBytes adds bytes to a file.
func appendBytes(t testing.TB, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func wantRepair(t *testing.T, h *handle, dir string, torn []byte) {
	t.Helper()
	repairs := h.TakeRepairs()
	if len(repairs) != 1 || repairs[0].Size != int64(len(torn)) {
		t.Fatalf("repairs are %+v, want one of %d bytes", repairs, len(torn))
	}
	kept, err := os.ReadFile(filepath.Join(dir, quarantineDir, repairs[0].Quarantine))
	if err != nil || !bytes.Equal(kept, torn) {
		t.Errorf("quarantine has %d bytes, %v; want what was cut", len(kept), err)
	}
	if more := h.TakeRepairs(); len(more) != 0 {
		t.Errorf("taken twice: %+v", more)
	}
}

func TestOpen_TornTailIsCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	frame := takenBack(t, dir, "torn")
	path, _ := tailOf(t, dir)
	for cut := 1; cut < len(frame); cut += 7 {
		appendBytes(t, path, frame[:cut])
		h := openDirLog(t, dir, Options{})
		wantRepair(t, h, dir, frame[:cut])
		h.wantLines(t, "1:created", "2:a")
		h.Close()
	}
	h := openDirLog(t, dir, Options{})
	h.append(t, "b")
	h.wantLines(t, "1:created", "2:a", "3:b")
	if report := wantSound(t, dir); report.Repairs == 0 || report.Torn != nil {
		t.Errorf("report is %+v", report)
	}
}

func TestOpen_TornTailIsKeptBeforeItIsCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	torn := takenBack(t, dir, "torn")[:20]
	path, data := tailOf(t, dir)
	appendBytes(t, path, torn)
	w := &watchedDisk{}
	w.setFail(func(call string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if cut := info.Size() == int64(len(data)); cut != (call == "datasync "+segmentName(1) || call == "syncdir log") {
			t.Errorf("at %s: the tail is cut: %v", call, cut)
		}
		return nil
	})
	h := openDirLog(t, dir, Options{disk: w.disk()})
	wantRepair(t, h, dir, torn)
	wantCalls(t, w,
		"syncdir "+filepath.Base(dir), fmt.Sprintf("datasync %s-%d-1", segmentName(1), len(data)), "syncdir quarantine",
		"datasync "+segmentName(1), "syncdir log")
}

func TestAppend_CutsTheTornTailThatAnotherProcessLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	frame := takenBack(t, dir, "torn")
	path, _ := tailOf(t, dir)
	h, idle := openDirLog(t, dir, Options{}), openDirLog(t, dir, Options{})
	h.append(t, "b")
	idle.view(t)
	// The frame was made for another place, but what there is of it tells nothing of that.
	torn := frame[:5]
	appendBytes(t, path, torn)
	h.wantLines(t, "1:created", "2:a", "3:b") // not yet: it may be on its way
	if len(h.TakeRepairs()) != 0 {
		t.Error("a view repaired something")
	}
	h.append(t, "c")
	wantRepair(t, h, dir, torn)
	idle.append(t, "d")
	idle.wantLines(t, "1:created", "2:a", "3:b", "4:c", "5:d")
	wantSound(t, dir)
}

// TestAppend_TellsOfATornTailOnce has each step of cutting it off fail, once. The next append goes
// on from there.
func TestAppend_TellsOfATornTailOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		step string // that fails; DIR stands for the queue's directory
		cut  bool   // before that
	}{
		{"syncdir DIR", false},
		{"datasync " + segmentName(1) + "-195-1", false},
		{"syncdir quarantine", false},
		{"datasync " + segmentName(1), true},
		{"syncdir log", true},
	} {
		t.Run(row.step, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h, w := openWatched(t, dir, Options{})
			torn := takenBack(t, dir, "torn")[:20]
			path, data := tailOf(t, dir)
			h.view(t)
			appendBytes(t, path, torn)
			step := strings.Replace(row.step, "DIR", filepath.Base(dir), 1)
			step = strings.Replace(step, "-195-", fmt.Sprintf("-%d-", len(data)), 1)
			w.setFail(func(call string) error {
				if call != step {
					return nil
				}
				w.setFail(nil)
				return errDisk
			})
			err := h.Append(t.Context(), h.proposes("a"))
			if !errors.Is(err, ErrNotCommitted) || !errors.Is(err, errDisk) {
				t.Fatalf("append: %v, want ErrNotCommitted and its cause", err)
			}
			if _, now := tailOf(t, dir); (len(now) == len(data)) != row.cut {
				t.Errorf("the tail has %d bytes, was %d without what is torn", len(now), len(data))
			}
			copies, _ := os.ReadDir(filepath.Join(dir, quarantineDir))
			if (len(copies) == 1) != row.cut || len(copies) > 1 {
				t.Errorf("in quarantine are %v", copies)
			}
			h.append(t, "b")
			wantRepair(t, h, dir, torn)
			h.wantLines(t, "1:created", "2:b")
			if report := wantSound(t, dir); report.Repairs != 1 {
				t.Errorf("%d repairs, want 1", report.Repairs)
			}
		})
	}
}

// TestTakeRepairs_TellsOfWhatOthersDidNotRecord: who cut it off has died, or had nothing to append.
func TestTakeRepairs_TellsOfWhatOthersDidNotRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	torn := takenBack(t, dir, "torn")[:40]
	path, data := tailOf(t, dir)
	quarantined := filepath.Join(dir, quarantineDir)
	name := fmt.Sprintf("%s-%d-1", segmentName(1), len(data))
	recorded := map[string]bool{}
	take := func() []Repair {
		t.Helper()
		h := openDirLog(t, dir, Options{Recorded: func(name string) bool { return recorded[name] }})
		defer h.Close()
		h.view(t)
		var taken []Repair
		if err := h.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) {
			taken = h.TakeRepairs()
			return nil, nil
		}}); err != nil {
			t.Fatal(err)
		}
		return taken
	}
	wantOne := func(verdict string) {
		t.Helper()
		got := take()
		want := Repair{
			Segment: segmentName(1), Offset: int64(len(data)), Size: int64(len(torn)),
			CRC: crc32.Checksum(torn, castagnoli), Quarantine: name, Verdict: verdict,
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("repairs are %+v, want %+v", got, want)
		}
		if kept, err := os.ReadFile(filepath.Join(quarantined, name)); !bytes.Equal(kept, torn) {
			t.Errorf("the copy has %d bytes, %v; want %d", len(kept), err, len(torn))
		}
	}
	if got := take(); len(got) != 0 {
		t.Errorf("repairs of a sound log: %+v", got)
	}
	// A process that died while it made a copy has not cut anything off.
	if err := os.Mkdir(quarantined, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(quarantined, name), torn[:7])
	put(t, filepath.Join(quarantined, "not a copy"), torn)
	appendBytes(t, path, torn)
	wantOne("torn tail (row 5): the end of the segment cuts it off")
	wantOne("torn tail: cut off by a process that did not record it")
	recorded[name] = true
	if got := take(); len(got) != 0 {
		t.Errorf("repairs that are recorded: %+v", got)
	}
	appendBytes(t, path, torn) // the same once more
	if got := take(); len(got) != 1 || got[0].Quarantine == name {
		t.Errorf("repairs are %+v, want one with another copy", got)
	}
}

// TestOpen_EndsWithItsContext: a torn tail can be judged only under the append lock, which its
// owner may never let go.
func TestOpen_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := openDirLog(t, dir, Options{})
	torn := takenBack(t, dir, "torn")[:20]
	deciding, decide, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- holder.Append(t.Context(), &Proposal{Decide: func(Turn) ([]Event, error) {
			close(deciding)
			<-decide
			return nil, nil
		}})
	}()
	<-deciding
	path, _ := tailOf(t, dir)
	appendBytes(t, path, torn)
	ctx, cancel := context.WithCancel(t.Context())
	opt := Options{OnWait: func(string) { cancel() }} // it has waited
	if _, err := Open(ctx, dir, &ledger{}, opt); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v, want context.Canceled", err)
	}
	close(decide)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOpen_ReadOnlyLeavesATornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).append(t, "a")
	frame := takenBack(t, dir, "torn")
	path, _ := tailOf(t, dir)
	appendBytes(t, path, frame[:20])
	before := contents(t, dir)
	h := openDirLog(t, dir, Options{ReadOnly: true})
	h.wantLines(t, "1:created", "2:a")
	if h.Damage() != nil {
		t.Errorf("damage: %v", h.Damage())
	}
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Error("a read-only log was changed")
	}
}

func TestOpen_DamagedLogIsReadAsFarAsItIsSound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		damage func(path string, data []byte, after2 int64) error
		commit Commit
	}{
		{"flip in the last commit", func(path string, data []byte, _ int64) error {
			data[len(data)-10] ^= 1
			return os.WriteFile(path, data, 0o600)
		}, 3},
		{"last byte missing", func(path string, data []byte, _ int64) error {
			return os.Truncate(path, int64(len(data)-1))
		}, 3},
		{"last commit missing", func(path string, _ []byte, after2 int64) error { return os.Truncate(path, after2) }, 3},
		{"last commit missing but for a piece", func(path string, _ []byte, after2 int64) error {
			return os.Truncate(path, after2+20)
		}, 3},
		{"segment missing", func(path string, _ []byte, _ int64) error { return os.Remove(path) }, 1},
		{"a segment too many", func(path string, data []byte, _ int64) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), segmentName(9)), data, 0o600)
		}, 4},
		{"a name that is none", func(path string, data []byte, _ int64) error {
			return os.WriteFile(path+".START", data, 0o600)
		}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, readOnly := range []bool{false, true} {
				dir := t.TempDir()
				h := openDirLog(t, dir, Options{})
				h.append(t, "a")
				_, short := tailOf(t, dir)
				h.append(t, "b")
				h.Close()
				path, data := tailOf(t, dir)
				if err := row.damage(path, data, int64(len(short))); err != nil {
					t.Fatal(err)
				}
				before := contents(t, dir)
				h = openDirLog(t, dir, Options{ReadOnly: readOnly})
				if readOnly && (row.name == "a segment too many" || row.name == "a name that is none") {
					continue // all that is durable can be read
				}
				damage := h.Damage()
				if damage == nil || row.commit != 0 && damage.Commit != row.commit {
					t.Fatalf("read-only %v: damage is %+v, want commit %d", readOnly, damage, row.commit)
				}
				all := []string{"1:created", "2:a", "3:b"}
				if lines, head := h.view(t); !slices.Equal(lines, all[:head.Commit]) {
					t.Errorf("view is %q at %+v", lines, head)
				}
				for range 2 { // each time
					err := h.Append(t.Context(), h.proposes("c"))
					if readOnly && !errors.Is(err, ErrReadOnly) || !readOnly && damaged(err) == nil {
						t.Errorf("append: %v", err)
					}
				}
				if after := contents(t, dir); !slices.Equal(before, after) {
					t.Error("a damaged log was changed")
				}
			}
		})
	}
}

// TestAppend_LeavesALogOfALaterVersionAlone has a commit come that a later program has written.
func TestAppend_LeavesALogOfALaterVersionAlone(t *testing.T) {
	t.Parallel()
	h := newHandmade(31, 0)
	h.noise(t, 10)
	dir := h.write(t)
	live := openDirLog(t, dir, Options{})
	live.view(t)
	h.noise(t, 10)
	at := h.tips[1]
	_, k := binary.Uvarint(h.last().data[at.offset:])
	frame := h.last().data[at.offset+int64(k):]
	frame[offFormat] = frameFormat + 1
	reseal(frame, at.place())
	put(t, h.path(dir, 0), h.last().data)
	before := contents(t, dir)
	if err := live.View(t.Context(), func(Head) { t.Error("viewed") }); !errors.Is(err, ErrNewer) {
		t.Errorf("view: %v, want ErrNewer", err)
	}
	if err := live.Append(t.Context(), live.proposes("a")); !errors.Is(err, ErrNewer) {
		t.Errorf("append: %v, want ErrNewer", err)
	}
	if _, err := Open(t.Context(), dir, &ledger{}, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("open: %v, want ErrNewer", err)
	}
	if after := contents(t, dir); !slices.Equal(before, after) {
		t.Error("it was changed")
	}
}

func TestAppend_GoesOnWhenTheDamageIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "a")
	path, data := tailOf(t, dir)
	appendBytes(t, path, bytes.Repeat([]byte("damage "), 100))
	if err := h.Append(t.Context(), h.proposes("b")); damaged(err) == nil {
		t.Fatalf("append: %v, want a CorruptError", err)
	}
	if h.Damage() == nil {
		t.Error("no damage")
	}
	if err := os.Truncate(path, int64(len(data))); err != nil {
		t.Fatal(err)
	}
	h.append(t, "c")
	if h.Damage() != nil {
		t.Errorf("damage: %v", h.Damage())
	}
	h.wantLines(t, "1:created", "2:a", "3:c")
}

func TestView_ReadsAgainWhenTheLogWasCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "a")
	path, data := tailOf(t, dir)
	h.append(t, "b")
	if err := os.Truncate(path, int64(len(data))); err != nil { // a repair that accepts the loss
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, logDir, durableFile)); err != nil {
		t.Fatal(err)
	}
	h.wantLines(t, "1:created", "2:a")
	if h.state.resets != 2 {
		t.Errorf("%d resets, want 2: one to begin, and one", h.state.resets)
	}
}

func TestView_ShowsWhatIsSoundOfADamagedLogThatLostItsD(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openDirLog(t, dir, Options{})
	h.append(t, "a")
	h.append(t, "b")
	h.Close()
	path, data := tailOf(t, dir)
	data[len(data)-1] ^= 1 // of the last frame's checksum
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, logDir, durableFile)); err != nil {
		t.Fatal(err)
	}
	h = openDirLog(t, dir, Options{})
	h.wantLines(t, "1:created", "2:a")
	if h.Damage() == nil {
		t.Error("the damage is not told")
	}
}
