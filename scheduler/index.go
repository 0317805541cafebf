package scheduler

import "github.com/queuectl/queuectl/job"

// index finds the slot of a key: a hash table with linear probing that holds nothing but slots, since
// the keys are in the items. It takes 5 to 11 bytes an item, where a map of keys to slots takes 20 to
// 40, and that is what makes a waiting job cost less than 60 bytes.
type index struct {
	table []int32 // slot+1; 0 = free. The length is a power of two, and at least a quarter is free
	shift uint8   // 64 - log2(len(table))
	used  int
}

const minTable = 16

// home is where the search for a key begins. Keys are numbers of events, often in a row: multiplied
// by 2^64/φ they spread evenly (Knuth, The Art of Computer Programming 3, 6.4).
func (x *index) home(key job.Position) int {
	return int(uint64(key) * 0x9E3779B97F4A7C15 >> x.shift)
}

// find returns the slot of key, -1 if there is none.
func (x *index) find(items []item, key job.Position) int32 {
	if len(x.table) == 0 {
		return -1
	}
	mask := len(x.table) - 1
	for i := x.home(key); x.table[i] != 0; i = (i + 1) & mask {
		if slot := x.table[i] - 1; items[slot].key == key {
			return slot
		}
	}
	return -1
}

// add enters a slot whose item has a key that is not in the index.
func (x *index) add(items []item, slot int32) {
	if (x.used+1)*4 > len(x.table)*3 {
		x.grow(items)
	}
	x.enter(items[slot].key, slot)
	x.used++
}

func (x *index) enter(key job.Position, slot int32) {
	mask := len(x.table) - 1
	i := x.home(key)
	for x.table[i] != 0 {
		i = (i + 1) & mask
	}
	x.table[i] = slot + 1
}

func (x *index) grow(items []item) {
	old := x.table
	x.table = make([]int32, max(minTable, 2*len(old)))
	x.shift = 64
	for n := len(x.table); n > 1; n /= 2 {
		x.shift--
	}
	for _, entry := range old {
		if entry != 0 {
			x.enter(items[entry-1].key, entry-1)
		}
	}
}

// remove takes out key, which is in the index. Entries that follow are moved up, so that no search
// ends at the hole before it has reached them: there are no tombstones that could pile up.
func (x *index) remove(items []item, key job.Position) {
	mask := len(x.table) - 1
	hole := x.home(key)
	for items[x.table[hole]-1].key != key {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; x.table[i] != 0; i = (i + 1) & mask {
		home := x.home(items[x.table[i]-1].key)
		if (i-home)&mask >= (i-hole)&mask { // the hole lies between the entry's home and the entry
			x.table[hole] = x.table[i]
			hole = i
		}
	}
	x.table[hole] = 0
	x.used--
}
