package eventlog

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// crashDisk is a disk below a file system that does what POSIX says and nothing more. Besides what
// processes see, it knows what a power cut may leave of it:
//
//   - of a file, its size as any write since the last sync left it, and each piece of 512 bytes as
//     any of them left that, one independent of the other: so a piece may be old, or read as zeros
//     where the file was not as long before;
//   - of a directory, each name that was made, moved or removed since the directory's last sync, or
//     not. A rename happens wholly or not at all, between two directories too;
//   - after a sync that failed, what it should have written may be there or not, and no later sync
//     changes that, until the bytes are written once more: the kernel takes their pages for clean.
//
// The sync of a file makes nothing of its name durable, and that of a directory nothing of what its
// files hold.
type crashDisk struct {
	nodes    []*crashNode // by number; the first is the root
	pending  []effect     // on names, which are not durable
	answered Commit       // that somebody was told of
}

// crashNode is a file or a directory.
type crashNode struct {
	names, durable map[string]int // of a directory: as processes see them, and for sure; nil for a file

	data   []byte              // of a file, as processes see it; replaced when it changes
	sizes  []int               // that it may have; the last is that of data
	pieces map[int]*crashPiece // that are not certain
}

// crashPiece is a piece of a file that is not certain.
type crashPiece struct {
	versions [][]byte // the last is what processes see
	dirty    bool     // the next sync writes it
}

// effect is one thing that a process did to the disk.
type effect struct {
	kind   effectKind
	node   int    // that it is about
	dir    int    // directory of name
	name   string // that is made, renamed or removed
	toDir  int
	toName string
	offset int
	data   []byte
	commit Commit
}

type effectKind string

const (
	effectMakeFile   effectKind = "make file"
	effectMakeDir    effectKind = "make directory"
	effectRename     effectKind = "rename"
	effectRemove     effectKind = "remove"
	effectWrite      effectKind = "write"
	effectTruncate   effectKind = "truncate"
	effectSync       effectKind = "sync"
	effectSyncFailed effectKind = "failed sync"
	effectSyncDir    effectKind = "sync directory"
	effectAnswer     effectKind = "answer"
)

func newCrashDisk() *crashDisk { return &crashDisk{nodes: []*crashNode{newCrashNode(true)}} }

func newCrashNode(dir bool) *crashNode {
	if dir {
		return &crashNode{names: map[string]int{}, durable: map[string]int{}}
	}
	return &crashNode{sizes: []int{0}, pieces: map[int]*crashPiece{}}
}

// clone shares only what never changes.
func (d *crashDisk) clone() *crashDisk {
	c := &crashDisk{pending: slices.Clone(d.pending), answered: d.answered}
	for _, n := range d.nodes {
		m := *n
		m.names, m.durable, m.sizes = maps.Clone(n.names), maps.Clone(n.durable), slices.Clone(n.sizes)
		m.pieces = map[int]*crashPiece{}
		for i, p := range n.pieces {
			m.pieces[i] = &crashPiece{slices.Clone(p.versions), p.dirty}
		}
		c.nodes = append(c.nodes, &m)
	}
	return c
}

func (d *crashDisk) apply(e effect) {
	switch e.kind {
	case effectMakeFile, effectMakeDir:
		d.nodes = append(d.nodes, newCrashNode(e.kind == effectMakeDir))
		d.nodes[e.dir].names[e.name] = e.node
		d.pending = append(d.pending, e)
	case effectRename:
		delete(d.nodes[e.dir].names, e.name)
		d.nodes[e.toDir].names[e.toName] = e.node
		d.pending = append(d.pending, e)
	case effectRemove:
		delete(d.nodes[e.dir].names, e.name)
		d.pending = append(d.pending, e)
	case effectWrite:
		d.nodes[e.node].write(e.offset, e.data)
	case effectTruncate:
		d.nodes[e.node].truncate(e.offset)
	case effectSync:
		d.nodes[e.node].sync()
	case effectSyncFailed:
		for _, p := range d.nodes[e.node].pieces {
			p.dirty = false
		}
	case effectSyncDir:
		d.syncNames(e.node)
	case effectAnswer:
		d.answered = max(d.answered, e.commit)
	}
}

func (n *crashNode) write(offset int, data []byte) {
	old := n.data
	n.data = make([]byte, max(len(old), offset+len(data)))
	copy(n.data, old)
	copy(n.data[offset:], data)
	n.change(old, offset, offset+len(data))
}

func (n *crashNode) truncate(size int) {
	old := n.data
	n.data = bytes.Clone(old[:size])
	n.change(old, size, len(old))
}

// change takes note of what was between two offsets in the old data.
func (n *crashNode) change(old []byte, from, to int) {
	for i := from / pieceSize; i*pieceSize < to; i++ {
		p := n.pieces[i]
		if p == nil {
			p = &crashPiece{versions: [][]byte{pieceOf(old, i)}}
			n.pieces[i] = p
		}
		if now := pieceOf(n.data, i); !bytes.Equal(now, p.versions[len(p.versions)-1]) {
			p.versions = append(p.versions, now)
		}
		p.dirty = true
	}
	if len(n.data) != len(old) {
		n.sizes = append(n.sizes, len(n.data))
	}
}

// pieceOf is piece i of data, with zeros behind its end.
func pieceOf(data []byte, i int) []byte {
	b := make([]byte, pieceSize)
	copy(b, data[min(i*pieceSize, len(data)):])
	return b
}

func (n *crashNode) sync() {
	n.sizes = []int{len(n.data)}
	maps.DeleteFunc(n.pieces, func(i int, p *crashPiece) bool { return p.dirty || i*pieceSize >= len(n.data) })
}

// syncNames makes the names in a directory durable.
func (d *crashDisk) syncNames(dir int) {
	done := make([]bool, len(d.pending))
	touches := func(e, other effect) bool {
		for _, p := range e.places() {
			if slices.Contains(other.places(), p) {
				return true
			}
		}
		return false
	}
	// A rename becomes durable on both sides. What happened to these names before is past then.
	for i, e := range slices.Backward(d.pending) {
		done[i] = slices.ContainsFunc(e.places(), func(p nameOf) bool { return p.dir == dir })
		for k := i + 1; k < len(d.pending) && !done[i]; k++ {
			done[i] = done[k] && touches(e, d.pending[k])
		}
	}
	var rest []effect
	for i, e := range d.pending {
		if done[i] {
			e.rename(func(dir int) map[string]int { return d.nodes[dir].durable })
		} else {
			rest = append(rest, e)
		}
	}
	d.pending = rest
}

type nameOf struct {
	dir  int
	name string
}

// places are the names that e changes.
func (e effect) places() []nameOf {
	if e.kind == effectRename {
		return []nameOf{{e.dir, e.name}, {e.toDir, e.toName}}
	}
	return []nameOf{{e.dir, e.name}}
}

// rename does to lists of names what e does.
func (e effect) rename(names func(dir int) map[string]int) {
	switch e.kind {
	case effectMakeFile, effectMakeDir:
		names(e.dir)[e.name] = e.node
	case effectRename:
		delete(names(e.dir), e.name)
		names(e.toDir)[e.toName] = e.node
	case effectRemove:
		delete(names(e.dir), e.name)
	}
}

// tree lists what can be reached from the root.
func (d *crashDisk) tree(names func(dir int) map[string]int, each func(path string, node int)) {
	var walk func(prefix string, dir int)
	walk = func(prefix string, dir int) {
		for _, name := range slices.Sorted(maps.Keys(names(dir))) {
			node := names(dir)[name]
			each(prefix+name, node)
			if d.nodes[node].names != nil {
				walk(prefix+name+"/", node)
			}
		}
	}
	walk("", 0)
}

// cached is what processes see.
func (d *crashDisk) cached() (s diskState) {
	d.tree(func(dir int) map[string]int { return d.nodes[dir].names }, func(path string, node int) {
		n := d.nodes[node]
		s = append(s, diskFile{path, n.names != nil, n.data})
	})
	return s
}

// String tells of e, with the name that a node had.
func (e effect) String() string {
	switch e.kind {
	case effectMakeFile, effectMakeDir, effectRemove:
		return fmt.Sprintf("%s %q in %d as %d", e.kind, e.name, e.dir, e.node)
	case effectRename:
		return fmt.Sprintf("rename %q in %d to %q in %d", e.name, e.dir, e.toName, e.toDir)
	case effectWrite:
		return fmt.Sprintf("write %d, %d bytes at %d", e.node, len(e.data), e.offset)
	case effectTruncate:
		return fmt.Sprintf("truncate %d at %d", e.node, e.offset)
	case effectAnswer:
		return fmt.Sprintf("answer with commit %d", e.commit)
	}
	return fmt.Sprintf("%s %d", e.kind, e.node)
}

func TestCrashDisk_IsSureOnlyOfWhatWasSynced(t *testing.T) {
	t.Parallel()
	const a, f = 1, 2
	inA := []effect{
		{kind: effectMakeDir, node: a, dir: 0, name: "a"},
		{kind: effectSyncDir, node: 0},
		{kind: effectMakeFile, node: f, dir: a, name: "f"},
		{kind: effectWrite, node: f, data: []byte("xy")},
	}
	sync, syncA := effect{kind: effectSync, node: f}, effect{kind: effectSyncDir, node: a}
	long := effect{kind: effectWrite, node: f, offset: pieceSize - 1, data: []byte("lr")}
	zeros := strings.Repeat("0", pieceSize-3)
	for _, row := range []struct {
		name string
		then []effect
		want []string
	}{
		{"nothing synced", nil, []string{"a", "a a/f:", "a a/f:00", "a a/f:xy"}},
		{"bytes synced", []effect{sync}, []string{"a", "a a/f:xy"}},
		{"name synced", []effect{syncA}, []string{"a a/f:", "a a/f:00", "a a/f:xy"}},
		{"sync failed", []effect{syncA, {kind: effectSyncFailed, node: f}, sync}, []string{"a a/f:00", "a a/f:xy"}},
		{"sync failed, and written again", []effect{syncA, {kind: effectSyncFailed, node: f}, inA[3], sync}, []string{"a a/f:xy"}},
		{"moved", []effect{sync, syncA, {kind: effectRename, node: f, dir: a, name: "f", toName: "g"}}, []string{"a a/f:xy", "a g:xy"}},
		{"moved before its name was synced, and then one of the two", []effect{
			sync, {kind: effectRename, node: f, dir: a, name: "f", toName: "g"}, {kind: effectSyncDir, node: 0},
		}, []string{"a g:xy"}},
		{"removed", []effect{sync, syncA, {kind: effectRemove, dir: a, name: "f"}}, []string{"a", "a a/f:xy"}},
		{"truncated", []effect{sync, syncA, {kind: effectTruncate, node: f, offset: 1}}, []string{"a a/f:x", "a a/f:x0", "a a/f:xy"}},
		{"over two pieces", []effect{sync, syncA, long}, []string{
			"a a/f:xy", "a a/f:xy" + zeros + "00", "a a/f:xy" + zeros + "0r", "a a/f:xy" + zeros + "l0", "a a/f:xy" + zeros + "lr",
		}},
	} {
		d := newCrashDisk()
		for _, e := range append(inA[:len(inA):len(inA)], row.then...) {
			d.apply(e)
		}
		states := map[string]bool{}
		d.cuts(1000, nil, func(way []int) {
			var s []string
			for _, f := range d.leave(way) {
				if text := strings.ReplaceAll(string(f.data), "\x00", "0"); f.dir {
					s = append(s, f.path)
				} else {
					s = append(s, f.path+":"+text)
				}
			}
			states[strings.Join(s, " ")] = true
		})
		if got := slices.Sorted(maps.Keys(states)); !slices.Equal(got, row.want) {
			t.Errorf("%s: may leave %q, want %q", row.name, got, row.want)
		}
	}
}
