package scheduler

import (
	"testing"

	"github.com/queuectl/queuectl/job"
	"pgregory.net/rapid"
)

// neighbours returns keys that want one of four places in a row of the smallest table, over its
// end. Keys that follow each other, as those of most tests do, hardly ever want the same.
func neighbours() (keys []job.Position) {
	x := index{table: make([]int32, minTable), shift: 60}
	for key := job.Position(1); len(keys) < minTable*3/4; key++ {
		if home := x.home(key); home < 2 || home >= minTable-2 {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestIndex_AgreesWithAMap(t *testing.T) {
	t.Parallel()
	keys := neighbours()
	rapid.Check(t, func(t *rapid.T) {
		var x index
		items, slots := make([]item, len(keys)), map[job.Position]int32{}
		for slot, key := range keys {
			items[slot].key = key
		}
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			slot := int32(rapid.IntRange(0, len(keys)-1).Draw(t, "slot"))
			key := keys[slot]
			if _, there := slots[key]; there {
				x.remove(items, key)
				delete(slots, key)
			} else {
				x.add(items, slot)
				slots[key] = slot
			}
			for _, key := range keys {
				want, there := slots[key]
				if !there {
					want = -1
				}
				if got := x.find(items, key); got != want {
					t.Fatalf("find(%d) = %d, want %d of %v", key, got, want, slots)
				}
			}
		}
	})
}
