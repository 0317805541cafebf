package job

import "time"

// The events about queues.

func appendQueuePaused(dst []byte, e QueuePaused) []byte { return appendText(dst, 1, e.Queue) }

func (r *reader) queuePaused() QueuePaused { return QueuePaused{Queue: r.onlyText()} }

func appendQueueResumed(dst []byte, e QueueResumed) []byte { return appendText(dst, 1, e.Queue) }

func (r *reader) queueResumed() QueueResumed { return QueueResumed{Queue: r.onlyText()} }

// onlyText reads a message of one text.
func (r *reader) onlyText() (text string) {
	for r.next() {
		switch r.num {
		case 1:
			text = r.text()
		default:
			r.skip()
		}
	}
	return text
}

func appendQueueLimited(dst []byte, e QueueLimited) []byte {
	dst = appendText(dst, 1, e.Queue)
	dst = appendUint(dst, 2, uint64(e.Concurrency))
	dst = appendUint(dst, 3, uint64(e.Rate))
	return appendUint(dst, 4, uint64(e.Per))
}

func (r *reader) queueLimited() (e QueueLimited) {
	for r.next() {
		switch r.num {
		case 1:
			e.Queue = r.text()
		case 2:
			e.Concurrency = r.uint32()
		case 3:
			e.Rate = r.uint32()
		case 4:
			e.Per = time.Duration(r.int())
		default:
			r.skip()
		}
	}
	return e
}
