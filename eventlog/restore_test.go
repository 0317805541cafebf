package eventlog

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestRestore_RefusesADirectoryThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	backup, info := backedUp(t, manySegments(t, 727, 3).write(t))
	dir := filepath.Join(t.TempDir(), "q")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "x"), nil)
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, RestoreOptions{disk: &quickDisk}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if got, err := Restore(t.Context(), bytes.NewReader(backup), dir, RestoreOptions{disk: &quickDisk}); err != nil || got.Head != info.Head {
		t.Errorf("empty: got %+v, %v", got, err)
	}
	if stat, err := os.Stat(dir); err != nil || stat.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v", stat, err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, RestoreOptions{disk: &quickDisk}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("again: got %v", err)
	}
}

func TestRestore_OneOfTwoAtATime(t *testing.T) {
	t.Parallel()
	backup, info := backedUp(t, manySegments(t, 728, 3).write(t))
	dir := filepath.Join(t.TempDir(), "deep", "q")
	second := RestoreOptions{disk: &quickDisk}
	first := second
	first.Finish = func(string, BackupInfo) error {
		_, err := Restore(t.Context(), bytes.NewReader(backup), dir, second)
		return err
	}
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, first); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
	if r := verify(t, dir); len(r.Damage) > 0 || r.Head != info.Head {
		t.Errorf("got %+v", r)
	}
	if left := listing(t, filepath.Dir(dir)); slices.ContainsFunc(left, func(name string) bool { return strings.Contains(name, "restoring") }) {
		t.Errorf("left is %v", left)
	}
}

func TestRestore_AFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	backup, _ := backedUp(t, manySegments(t, 729, 3).write(t))
	for name, row := range map[string]struct {
		fail func(o *RestoreOptions, d *disk)
		want error
	}{
		"full disk":    {func(_ *RestoreOptions, d *disk) { d.datasync = func(*os.File) error { return syscall.ENOSPC } }, ErrDiskFull},
		"network":      {func(_ *RestoreOptions, d *disk) { d.network = func(string) (string, error) { return "nfs", nil } }, ErrNetworkFS},
		"not finished": {func(o *RestoreOptions, _ *disk) { o.Finish = func(string, BackupInfo) error { return errDisk } }, errDisk},
	} {
		d := quickDisk
		opt := RestoreOptions{disk: &d}
		row.fail(&opt, &d)
		dir := filepath.Join(t.TempDir(), "q")
		if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, opt); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if left := names(t, filepath.Dir(dir), ""); len(left) > 0 {
			t.Errorf("%s: left is %v", name, left)
		}
	}
	d := quickDisk
	d.syncDir = func(path string) error {
		if len(names(t, path, "q")) > 0 {
			return errDisk
		}
		return nil
	}
	dir := filepath.Join(t.TempDir(), "q")
	if _, err := Restore(t.Context(), bytes.NewReader(backup), dir, RestoreOptions{disk: &d}); !errors.Is(err, ErrUnknown) {
		t.Errorf("its name cannot be synced: got %v", err)
	}
}

// TestRestore_NoFlipIsTaken flips each bit of a backup: it is refused, or what was restored is the same,
// byte for byte.
func TestRestore_NoFlipIsTaken(t *testing.T) {
	t.Parallel()
	h := newHandmade(730, 0)
	for range 4 {
		h.append(t, Event{Kind: 1, Data: bytes.Repeat([]byte("ab"), 50)})
		h.rotate()
	}
	dir := h.write(t)
	archiveOf(t, dir, 2)
	backup, _ := backedUp(t, dir)
	want := contents(t, restored(t, backup))
	root := memoryDir(t)
	taken := 0
	for bit := 0; bit < 8*len(backup); bit += sample() {
		data := bytes.Clone(backup)
		data[bit/8] ^= 1 << (bit % 8)
		to := filepath.Join(root, "q")
		_, err := Restore(t.Context(), bytes.NewReader(data), to, RestoreOptions{disk: &quickDisk})
		switch {
		case err == nil:
			taken++
			if got := contents(t, to); !slices.Equal(got, want) {
				t.Fatalf("bit %d: another log was restored", bit)
			}
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		case !errors.Is(err, ErrBadBackup) && !errors.Is(err, ErrNewer):
			t.Fatalf("bit %d: got %v", bit, err)
		}
		if left := names(t, root, ""); len(left) > 0 {
			t.Fatalf("bit %d: left is %v", bit, left)
		}
	}
	t.Logf("%d bytes; %d flips change nothing that counts", len(backup), taken)
}

func TestRestore_RefusesWhatIsCut(t *testing.T) {
	t.Parallel()
	backup, _ := backedUp(t, manySegments(t, 731, 4).write(t))
	root := memoryDir(t)
	for n := 0; n < len(backup); n += 1 + len(backup)/200 {
		_, err := Restore(t.Context(), bytes.NewReader(backup[:n]), filepath.Join(root, "q"), RestoreOptions{disk: &quickDisk})
		if !errors.Is(err, ErrBadBackup) {
			t.Fatalf("%d of %d bytes: got %v", n, len(backup), err)
		}
	}
	for _, n := range []int{1, 2, 3, 4, 5} {
		if _, err := Restore(t.Context(), bytes.NewReader(backup[:len(backup)-n]), filepath.Join(root, "q"), RestoreOptions{disk: &quickDisk}); !errors.Is(err, ErrBadBackup) {
			t.Errorf("without the last %d bytes: got %v", n, err)
		}
	}
	if left := names(t, root, ""); len(left) > 0 {
		t.Errorf("left is %v", left)
	}
}

// forged is a backup put together by hand.
func forged(tb testing.TB, edit func(files *[]tarFile)) []byte {
	tb.Helper()
	h := manySegments(tb, 732, 3)
	files := []tarFile{{logDir + "/" + formatFile, string(encodeFormat(h.id)), tar.TypeReg}}
	for i, s := range h.segments {
		files = append(files, tarFile{[]string{sealedDir, logDir, logDir}[i] + "/" + segmentName(s.first), string(s.data), tar.TypeReg})
	}
	list := backupContents{id: h.id, time: 1, head: h.end().head}
	for _, f := range files {
		list.files = append(list.files, backupFile{f.name, sumOf([]byte(f.data))})
	}
	files = append(files, tarFile{backupList, string(list.encode()), tar.TypeReg})
	edit(&files)
	var b bytes.Buffer
	packed, err := zstd.NewWriter(&b)
	if err != nil {
		tb.Fatal(err)
	}
	w := tar.NewWriter(packed)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Size: int64(len(f.data)), Mode: 0o600, Typeflag: f.kind}
		if f.kind != tar.TypeReg {
			h.Size, h.Linkname = 0, "/etc/passwd"
		}
		err = errors.Join(err, w.WriteHeader(h))
		if f.kind == tar.TypeReg {
			_, failed := w.Write([]byte(f.data))
			err = errors.Join(err, failed)
		}
	}
	if err := errors.Join(err, w.Close(), packed.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

type tarFile struct {
	name, data string
	kind       byte
}

func TestRestore_RefusesWhatIsForged(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	insert := func(f tarFile) func(*[]tarFile) {
		return func(files *[]tarFile) { *files = slices.Insert(*files, 1, f) }
	}
	for name, edit := range map[string]func(files *[]tarFile){
		"a path that leads out":   insert(tarFile{"log/../../x", "x", tar.TypeReg}),
		"an absolute path":        insert(tarFile{filepath.ToSlash(filepath.Join(root, "x")), "x", tar.TypeReg}),
		"another file":            insert(tarFile{"log/append.lock", "", tar.TypeReg}),
		"a link":                  insert(tarFile{"sealed/" + segmentName(9), "", tar.TypeSymlink}),
		"a file twice":            insert(tarFile{logDir + "/" + formatFile, "", tar.TypeReg}),
		"a file too many":         insert(tarFile{"sealed/" + segmentName(99), "", tar.TypeReg}),
		"a file is missing":       func(files *[]tarFile) { *files = slices.Delete(*files, 1, 2) },
		"two files are exchanged": func(files *[]tarFile) { (*files)[1].data, (*files)[2].data = (*files)[2].data, (*files)[1].data },
		"no list":                 func(files *[]tarFile) { *files = (*files)[:len(*files)-1] },
		"a file behind the list":  func(files *[]tarFile) { *files = append(*files, tarFile{"log/" + segmentName(99), "", tar.TypeReg}) },
		"an empty list":           func(files *[]tarFile) { (*files)[len(*files)-1].data = "" },
		"another head": func(files *[]tarFile) {
			list := &(*files)[len(*files)-1]
			c, err := decodeContents([]byte(list.data))
			if err != nil {
				t.Fatal(err)
			}
			c.head.Hash[0]++
			list.data = string(c.encode())
		},
	} {
		_, err := Restore(t.Context(), bytes.NewReader(forged(t, edit)), filepath.Join(root, "q"), RestoreOptions{disk: &quickDisk})
		if !errors.Is(err, ErrBadBackup) {
			t.Errorf("%s: got %v", name, err)
		}
		if left := names(t, root, ""); len(left) > 0 {
			t.Errorf("%s: left is %v", name, left)
		}
	}
	sound := forged(t, func(*[]tarFile) {})
	for name, data := range map[string][]byte{
		"nothing":                nil,
		"something else":         []byte("precious"),
		"something follows it":   append(bytes.Clone(sound), "more"...),
		"another one follows it": append(bytes.Clone(sound), sound...),
	} {
		if _, err := Restore(t.Context(), bytes.NewReader(data), filepath.Join(root, "q"), RestoreOptions{disk: &quickDisk}); !errors.Is(err, ErrBadBackup) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	restored(t, sound)
}
