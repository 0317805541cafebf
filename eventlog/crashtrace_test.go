package eventlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/queuectl/queuectl/internal/file"
)

// crashTrace records what a log does to the disk: in order, with all bytes.
//
// It looks at the files before and after each step that goes through Options.disk, and takes note
// of what is different. Between two of these steps there is one write, or nothing whose order
// matters, but for what tidwall/wal does when it begins a segment: it syncs the old one before it
// makes the next (a test with strace checks that).
//
// Steps of several handles may follow each other in any way, but not overlap.
type crashTrace struct {
	tb     testing.TB
	root   string     // directory that the disk is mounted at, so to say
	before *crashDisk // the story
	actors []*actor
	want   map[Commit][]string // what was appended
	hashes []Hash              // of all commits, when the story has ended
	clock  atomic.Int64
	blind  bool // no readers look: the log is damaged
	quick  bool // of files that have kept their size only those are compared that may be written to

	mu      sync.Mutex // an idle log works on a goroutine of its own
	effects []effect
	disk    *crashDisk       // after them
	infos   []fs.FileInfo    // of its nodes
	seen    int              // effects when readers last looked
	unread  bool             // nobody looks
	failed  []int            // syncs that failed, of each node
	trusted map[*os.File]int // failed, when all bytes were last written through it
}

// crashDir is the directory of the log, below the root. Its parent is made by the log, too.
const crashDir = "a/q"

// record mounts a disk in an empty directory, so that all is there that processes see on it, and
// has them do something.
func record(tb testing.TB, root string, d *crashDisk, story func(*crashTrace)) *crashTrace {
	c := newTrace(tb, root, d)
	defer func() {
		for _, h := range c.actors {
			h.Close() // not for the record
		}
		switch failed := recover().(type) {
		case nil:
		case storyFailed:
			tb.Errorf("%v", failed.error)
		default:
			panic(failed)
		}
	}()
	c.mount()
	story(c)
	c.hashes = c.history()
	return c
}

func newTrace(tb testing.TB, root string, d *crashDisk) *crashTrace {
	return &crashTrace{
		tb: tb, root: root, before: d.clone(), disk: d, infos: make([]fs.FileInfo, len(d.nodes)),
		want: map[Commit][]string{}, failed: make([]int, len(d.nodes)), trusted: map[*os.File]int{},
	}
}

// mount makes what processes see on the disk.
func (c *crashTrace) mount() {
	c.must(c.disk.cached().install(c.root))
	paths := c.paths()
	for _, f := range c.list() {
		c.infos[paths[f.path]] = f.info
	}
}

// storyFailed is what must ends a story with.
type storyFailed struct{ error }

func (c *crashTrace) must(err error) {
	if err != nil {
		panic(storyFailed{err})
	}
}

// relative is the path below the root, with slashes.
func (c *crashTrace) relative(path string) string {
	return strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, c.root)), "/")
}

// unlocked says if nobody has the append lock.
func (c *crashTrace) unlocked() bool {
	lock, err := file.OpenExistingLock(filepath.Join(c.dir(), logDir, lockFile))
	c.must(err)
	defer lock.Close() // which lets it go
	ok, err := lock.TryExclusive()
	c.must(err)
	return ok
}

func (c *crashTrace) dir() string { return filepath.Join(c.root, filepath.FromSlash(crashDir)) }

// paths are those of what is on the disk, as far as it was seen.
func (c *crashTrace) paths() map[string]int {
	paths := map[string]int{"": 0}
	c.disk.tree(func(dir int) map[string]int { return c.disk.nodes[dir].names }, func(path string, node int) { paths[path] = node })
	return paths
}

// observe takes note of what has changed since the last time, and then of more.
func (c *crashTrace) observe(more ...effect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	for _, e := range more {
		c.add(e)
	}
}

// The following are called with mu held.

// look is observe, and lets readers have a look as well.
func (c *crashTrace) look() {
	there := c.list()
	for c.moved(there) {
	}
	paths := c.paths()
	for _, f := range there {
		if node, known := paths[f.path]; known && !f.info.IsDir() && !c.rests(node, f) {
			c.compare(node, f)
		}
	}
	for _, f := range there {
		if _, known := paths[f.path]; !known {
			paths[f.path] = c.make(f, paths)
		}
	}
	if c.seen < len(c.effects) && !c.unread {
		c.read()
		c.seen = len(c.effects)
	}
}

// rests says that a file need not be compared.
func (c *crashTrace) rests(node int, f realFile) bool {
	if !c.quick || f.info.Size() != int64(len(c.disk.nodes[node].data)) {
		return false
	}
	dir, name := parentOf(f.path)
	_, segment := parseSegmentName(name)
	begun := strings.HasPrefix(name, unfinished) || strings.HasSuffix(name, ".new") // which may be written anew
	return !begun && (!segment || dir != crashDir+"/"+logDir)
}

func (c *crashTrace) add(e effect) {
	c.disk.apply(e)
	c.effects = append(c.effects, e)
}

// realFile is a file or directory that is really there.
type realFile struct {
	path string // relative to the root
	info fs.FileInfo
}

func (c *crashTrace) list() (there []realFile) {
	err := filepath.WalkDir(c.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == c.root {
			return err
		}
		info, err := entry.Info()
		there = append(there, realFile{c.relative(path), info})
		return err
	})
	c.must(err)
	return there
}

// moved takes note of one name that is gone, or leads to something else.
func (c *crashTrace) moved(there []realFile) bool {
	paths := c.paths()
	same := func(node int, f realFile) bool { return os.SameFile(c.infos[node], f.info) }
	stays := map[string]bool{"": true}
	var news []realFile
	for _, f := range there {
		if node, known := paths[f.path]; known && same(node, f) {
			stays[f.path] = true
		} else {
			news = append(news, f)
		}
	}
	var last effect
	for _, path := range slices.Sorted(maps.Keys(paths)) { // a directory comes before what is in it
		if stays[path] {
			continue
		}
		dir, name := parentOf(path)
		e := effect{kind: effectRemove, node: paths[path], dir: paths[dir], name: name}
		for _, f := range news {
			if same(e.node, f) {
				e.kind = effectRename
				dir, e.toName = parentOf(f.path)
				e.toDir = paths[dir]
				c.add(e)
				return true
			}
		}
		last = e
	}
	if last.kind == "" {
		return false
	}
	c.add(last)
	c.infos[last.node] = nil // another file may be given its number
	return true
}

// compare takes note of what changed in a file.
func (c *crashTrace) compare(node int, f realFile) {
	now, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(f.path)))
	c.must(err)
	old := c.disk.nodes[node].data
	if len(now) < len(old) {
		c.add(effect{kind: effectTruncate, node: node, offset: len(now)})
		old = old[:len(now)]
	}
	if bytes.Equal(now, old) {
		return
	}
	from, to := 0, len(now)
	for from < len(old) && now[from] == old[from] {
		from++
	}
	for to <= len(old) && now[to-1] == old[to-1] {
		to--
	}
	c.add(effect{kind: effectWrite, node: node, offset: from, data: now[from:to]})
}

// make takes note of a new file or directory, and of what is in it.
func (c *crashTrace) make(f realFile, paths map[string]int) (node int) {
	dir, name := parentOf(f.path)
	if !f.info.IsDir() {
		c.rotated(paths[dir], name)
	}
	node = len(c.disk.nodes)
	e := effect{kind: effectMakeFile, node: node, dir: paths[dir], name: name}
	if f.info.IsDir() {
		e.kind = effectMakeDir
	}
	c.add(e)
	c.infos, c.failed = append(c.infos, f.info), append(c.failed, 0)
	if !f.info.IsDir() {
		c.compare(node, f)
	}
	return node
}

// rotated takes note of what tidwall/wal does before it makes another segment.
func (c *crashTrace) rotated(dir int, name string) {
	last := ""
	for other := range c.disk.nodes[dir].names {
		if _, ok := parseSegmentName(other); ok {
			last = max(last, other)
		}
	}
	if _, ok := parseSegmentName(name); ok && last != "" {
		c.add(effect{kind: effectSync, node: c.disk.nodes[dir].names[last]})
	}
}

// read does what readers may do at any time. What they are shown must never be lost.
func (c *crashTrace) read() {
	id, err := readFormat(c.dir())
	if err != nil || c.blind {
		return // it is not there yet
	}
	r, err := newReader(quietSource{dirSource{dir: c.dir(), id: id}}, id, 0)
	c.must(err)
	defer r.Close()
	for {
		e, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return
		}
		c.must(err)
		if e.Commit > c.disk.answered {
			c.add(effect{kind: effectAnswer, commit: e.Commit})
		}
	}
}

// quietSource is for those who know that nobody appends at the moment.
type quietSource struct{ dirSource }

func (quietSource) still(_ context.Context, fn func() error) error { return fn() }

// node returns which file is open.
func (c *crashTrace) node(f *os.File) int {
	info, err := f.Stat()
	c.must(err)
	return slices.IndexFunc(c.infos, func(known fs.FileInfo) bool { return known != nil && os.SameFile(known, info) })
}

// sync is that of f, unless it fails. The kernel tells each descriptor that was open then, once,
// that the sync of another has failed: errseq_t, https://docs.kernel.org/core-api/errseq.html.
func (c *crashTrace) sync(f *os.File, err error) error {
	node := c.node(f)
	if err == nil && c.trusted[f] < c.failed[node] {
		err = errDisk
	}
	if err != nil {
		c.failed[node]++
		c.trusted[f] = c.failed[node]
		c.add(effect{kind: effectSyncFailed, node: node})
		return err
	}
	c.add(effect{kind: effectSync, node: node})
	return nil
}

// diskFor returns what a handle is to use. before is called first in each sync, and may do what
// other processes do meanwhile; its error is that of the sync.
func (c *crashTrace) diskFor(before func(name string) error) *disk {
	note := func(do func()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		do()
	}
	return &disk{
		network: func(string) (string, error) { return "", nil },
		datasync: func(f *os.File) (err error) {
			c.observe()
			err = before(filepath.Base(f.Name()))
			note(func() { err = c.sync(f, err) })
			return err
		},
		syncDir: func(path string) error {
			c.observe()
			err := before(filepath.Base(path))
			note(func() {
				if node, known := c.paths()[c.relative(path)]; known && err == nil {
					c.add(effect{kind: effectSyncDir, node: node})
				}
			})
			return err
		},
		// Of a tail that is new, all that will be in it is written while it is open.
		reserve: func(f *os.File, _ int64) (bool, error) {
			c.observe()
			note(func() {
				if _, known := c.trusted[f]; !known {
					c.trusted[f] = c.failed[c.node(f)]
				}
			})
			return true, nil
		},
		rewrite: func(f *os.File, from, to int64) error {
			c.observe()
			note(func() {
				node := c.node(f)
				c.trusted[f] = c.failed[node]
				if from < to {
					c.add(effect{kind: effectWrite, node: node, offset: int(from), data: c.disk.nodes[node].data[from:to]})
				}
			})
			return nil
		},
		writeAt: func(f *os.File, b []byte, offset int64) (int, error) {
			c.observe()
			note(func() {
				c.add(effect{kind: effectWrite, node: c.node(f), offset: int(offset), data: bytes.Clone(b)})
			})
			return f.WriteAt(b, offset)
		},
	}
}

// history returns the hashes of all commits that the files hold, after a look whether they are what
// was appended.
func (c *crashTrace) history() (all []Hash) {
	id, err := readFormat(c.dir())
	if err != nil {
		return nil // it was not made yet
	}
	src := newDirSource(c.dir(), id)
	segments, _, err := listAll(c.dir(), id)
	c.must(err)
	t, err := origin(c.dir(), id)
	c.must(err)
	if base, err := ReadBase(c.dir()); base != nil {
		pruned := &hashes{}
		c.must(errors.Join(err, pruned.Resume([]*Snapshot{base}), base.Close()))
		all = pruned.list
	}
	for _, s := range segments {
		f, err := src.open(s.first)
		c.must(err)
		size, err := f.Size()
		c.must(err)
		t = t.next()
		_, err = scan(f, size, &t, func(e *Entry) error {
			all = append(all, e.Hash)
			var got []string
			for _, ev := range e.Events {
				got = append(got, string(ev.Data))
			}
			if want := c.want[e.Commit]; want != nil && !slices.Equal(got, want) {
				c.tb.Errorf("commit %d is %q, want %q", e.Commit, got, want)
			}
			return nil
		})
		c.must(err)
		f.Close() // only read
	}
	return all
}
