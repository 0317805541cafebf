package scheduler

// heap is a min-heap of numbers that stand for something kept elsewhere: slots of items, or lanes.
// Each knows its place in the heap, so that it can be moved or taken out from the middle in O(log n).
type heap struct {
	numbers []int32
	*order
}

// order is what heaps of one sort share.
type order struct {
	less  func(a, b int32) bool
	moved func(number, place int32) // called for every change of place; -1 = taken out
}

// arity is the number of children of a node. Four make the heap half as high as two, for the same
// number of comparisons, and the children lie in one cache line.
const arity = 4

func (h *heap) empty() bool  { return len(h.numbers) == 0 }
func (h *heap) first() int32 { return h.numbers[0] }

func (h *heap) push(number int32) {
	h.numbers = append(h.numbers, number)
	h.up(int32(len(h.numbers)-1), number)
}

// remove takes out what is at place.
func (h *heap) remove(place int32) {
	end := int32(len(h.numbers) - 1)
	out, moving := h.numbers[place], h.numbers[end]
	h.numbers = h.numbers[:end]
	if place != end {
		h.settle(place, moving)
	}
	h.moved(out, -1)
}

// fix restores the order after what is at place has changed.
func (h *heap) fix(place int32) { h.settle(place, h.numbers[place]) }

// rebuild restores the order after anything may have changed. O(n).
func (h *heap) rebuild() {
	for place := int32(len(h.numbers)) - 1; place >= 0; place-- {
		h.down(place, h.numbers[place])
	}
}

// rank puts a number in, leaves it out, or moves it after what it stands for has changed. place is where it is,
// -1 = it is not.
func (h *heap) rank(number, place int32, in bool) {
	switch {
	case place >= 0 && !in:
		h.remove(place)
	case place >= 0:
		h.fix(place)
	case in:
		h.push(number)
	}
}

func (h *heap) settle(place, number int32) {
	if place > 0 && h.less(number, h.numbers[(place-1)/arity]) {
		h.up(place, number)
		return
	}
	h.down(place, number)
}

func (h *heap) up(place, number int32) {
	for place > 0 {
		parent := (place - 1) / arity
		if !h.less(number, h.numbers[parent]) {
			break
		}
		h.put(place, h.numbers[parent])
		place = parent
	}
	h.put(place, number)
}

func (h *heap) down(place, number int32) {
	for {
		child := int(place)*arity + 1
		if child >= len(h.numbers) {
			break
		}
		least := child
		for c := child + 1; c < min(child+arity, len(h.numbers)); c++ {
			if h.less(h.numbers[c], h.numbers[least]) {
				least = c
			}
		}
		if !h.less(h.numbers[least], number) {
			break
		}
		h.put(place, h.numbers[least])
		place = int32(least)
	}
	h.put(place, number)
}

func (h *heap) put(place, number int32) {
	h.numbers[place] = number
	h.moved(number, place)
}
