package eventlog

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// diskState is what is on a disk: paths in order, directories before what is in them.
type diskState []diskFile

type diskFile struct {
	path string // with slashes, relative to the root
	dir  bool
	data []byte
}

func (s diskState) find(path string) []byte {
	for _, f := range s {
		if f.path == path {
			return f.data
		}
	}
	return nil
}

// String lists the files, with their sizes.
func (s diskState) String() string {
	var b strings.Builder
	for _, f := range s {
		if !f.dir {
			fmt.Fprintf(&b, "  %s: %d bytes\n", f.path, len(f.data))
		}
	}
	return b.String()
}

// hash tells different states apart.
func (s diskState) hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, f := range s {
		fmt.Fprintf(&h, "%s %v %d\n", f.path, f.dir, len(f.data))
		h.Write(f.data)
	}
	return h.Sum64()
}

// install makes the files below a directory.
func (s diskState) install(root string) error {
	for _, f := range s {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		var err error
		if f.dir {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, f.data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// installed is a disk on which the state is for sure.
func installed(s diskState) *crashDisk {
	d := newCrashDisk()
	at := map[string]int{"": 0}
	for _, f := range s {
		node := len(d.nodes)
		at[f.path] = node
		dir, name := parentOf(f.path)
		e := effect{kind: effectMakeFile, node: node, dir: at[dir], name: name}
		if f.dir {
			e.kind = effectMakeDir
		}
		d.apply(e)
		d.apply(effect{kind: effectSyncDir, node: e.dir})
		if !f.dir {
			d.apply(effect{kind: effectWrite, node: node, data: f.data})
			d.apply(effect{kind: effectSync, node: node})
		}
	}
	return d
}

// parentOf splits a path into its directory, "" for the root, and its name.
func parentOf(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// open lists, for each thing that is not certain, in how many ways a power cut may leave it.
func (d *crashDisk) open() (ways []int) {
	for range d.pending {
		ways = append(ways, 2)
	}
	d.eachOpen(func(_ *crashNode, _, n int) { ways = append(ways, n) })
	return ways
}

// eachOpen calls fn for the size, as piece -1, and for the pieces of each file that are not
// certain.
func (d *crashDisk) eachOpen(fn func(n *crashNode, piece, ways int)) {
	for _, n := range d.nodes {
		if len(n.sizes) > 1 {
			fn(n, -1, len(n.sizes))
		}
		for _, i := range slices.Sorted(maps.Keys(n.pieces)) {
			fn(n, i, len(n.pieces[i].versions))
		}
	}
}

// leave is what a power cut leaves, if it goes this way for each thing in open. 0 is the oldest.
func (d *crashDisk) leave(way []int) (s diskState) {
	names := make([]map[string]int, len(d.nodes))
	for i, n := range d.nodes {
		names[i] = maps.Clone(n.durable)
	}
	inLeft := func(dir int) map[string]int { return names[dir] }
	for i, e := range d.pending {
		if way[i] == 1 {
			e.rename(inLeft)
		}
	}
	left := map[*crashNode]map[int]int{} // ways, by piece
	next := len(d.pending)
	d.eachOpen(func(n *crashNode, piece, _ int) {
		if left[n] == nil {
			left[n] = map[int]int{}
		}
		left[n][piece] = way[next]
		next++
	})
	d.tree(inLeft, func(path string, node int) {
		n := d.nodes[node]
		f := diskFile{path: path, dir: n.names != nil}
		if !f.dir {
			f.data = n.leave(left[n])
		}
		s = append(s, f)
	})
	return s
}

func (n *crashNode) leave(way map[int]int) []byte {
	b := make([]byte, n.sizes[way[-1]])
	copy(b, n.data)
	for i, p := range n.pieces {
		if at := i * pieceSize; at < len(b) {
			copy(b[at:], p.versions[way[i]])
		}
	}
	return b
}

// cuts passes on what a power cut may leave at this moment: everything, if there are at most most
// ways; else the oldest, the newest, and a sample.
func (d *crashDisk) cuts(most int, rng *rand.Rand, each func(way []int)) {
	ways := d.open()
	total := 1
	for _, n := range ways {
		total = min(total*n, most+1)
	}
	way := make([]int, len(ways))
	for k := range min(total, most) {
		for i, n := range ways {
			switch {
			case total <= most: // k, as a number of which each digit has a base of its own
				way[i], k = k%n, k/n
			case k > 0 && k%3 == 0:
				way[i] = rng.IntN(n)
			case k == 1 || k%3 == 2:
				way[i] = n - 1
			default:
				way[i] = 0
			}
		}
		if total > most && k > 1 { // near one of the ends: that is where a single loss shows
			for range 1 + rng.IntN(2) {
				i := rng.IntN(len(ways))
				way[i] = rng.IntN(ways[i])
			}
		}
		each(way)
	}
}
