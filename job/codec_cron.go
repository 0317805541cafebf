package job

// The events of schedules.

func appendCron(dst []byte, c *Cron) []byte {
	dst = appendText(dst, 1, c.Name)
	dst = appendText(dst, 2, c.Schedule)
	dst = appendText(dst, 3, c.Zone)
	dst = appendUint(dst, 4, uint64(c.Missed))
	dst = appendUint(dst, 5, uint64(c.Overlap))
	return appendElement(dst, 6, appendJobEnqueued(nil, &JobEnqueued{Spec: c.Job}))
}

// cron reads the message of a schedule into c.
func (r *reader) cron(c *Cron) {
	in := reader{data: r.raw(), shared: r.shared}
	for in.next() {
		switch in.num {
		case 1:
			c.Name = in.text()
		case 2:
			c.Schedule = in.text()
		case 3:
			c.Zone = in.text()
		case 4:
			c.Missed = Missed(in.enum())
		case 5:
			c.Overlap = Overlap(in.enum())
		case 6:
			e, err := DecodeEnqueued(string(in.raw()))
			if err != nil {
				in.fail(err)
				break
			}
			c.Job = e.Spec
		default:
			in.skip()
		}
	}
	if in.err != nil {
		r.fail(in.err)
	}
}

func appendCronAdded(dst []byte, e *CronAdded) []byte {
	dst = appendElement(dst, 1, appendCron(nil, &e.New))
	return appendTime(dst, 2, e.Next)
}

func (r *reader) cronAdded() *CronAdded {
	e := new(CronAdded)
	for r.next() {
		switch r.num {
		case 1:
			r.cron(&e.New)
		case 2:
			e.Next = r.time()
		default:
			r.skip()
		}
	}
	return e
}

func appendCronChanged(dst []byte, e *CronChanged) []byte {
	dst = appendUint(dst, 1, uint64(e.Cron))
	dst = appendBool(dst, 2, e.Paused)
	dst = appendTime(dst, 3, e.Next)
	if e.New != nil {
		dst = appendElement(dst, 4, appendCron(nil, e.New))
	}
	return dst
}

func (r *reader) cronChanged() *CronChanged {
	e := new(CronChanged)
	for r.next() {
		switch r.num {
		case 1:
			e.Cron = Position(r.uint())
		case 2:
			e.Paused = r.bool()
		case 3:
			e.Next = r.time()
		case 4:
			e.New = new(Cron)
			r.cron(e.New)
		default:
			r.skip()
		}
	}
	return e
}

func appendCronRemoved(dst []byte, e CronRemoved) []byte {
	return appendUint(dst, 1, uint64(e.Cron))
}

func (r *reader) cronRemoved() (e CronRemoved) {
	for r.next() {
		switch r.num {
		case 1:
			e.Cron = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}

func appendCronTicked(dst []byte, e CronTicked) []byte {
	dst = appendUint(dst, 1, uint64(e.Cron))
	dst = appendTime(dst, 2, e.Tick)
	dst = appendTime(dst, 3, e.Since)
	dst = appendUint(dst, 4, uint64(e.Made))
	dst = appendUint(dst, 5, uint64(e.Skip))
	return appendTime(dst, 6, e.Next)
}

func (r *reader) cronTicked() (e CronTicked) {
	for r.next() {
		switch r.num {
		case 1:
			e.Cron = Position(r.uint())
		case 2:
			e.Tick = r.time()
		case 3:
			e.Since = r.time()
		case 4:
			e.Made = Position(r.uint())
		case 5:
			e.Skip = Skip(r.enum())
		case 6:
			e.Next = r.time()
		default:
			r.skip()
		}
	}
	return e
}
