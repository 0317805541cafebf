package job

// The events that people cause: retry, cancel, kill, and the settings.

func appendJobRetried(dst []byte, e JobRetried) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.From))
	dst = appendBool(dst, 3, e.Reset)
	dst = appendTime(dst, 4, e.Due)
	return appendBool(dst, 5, e.DeadlineLifted)
}

func (r *reader) jobRetried() (e JobRetried) {
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.From = State(r.enum())
		case 3:
			e.Reset = r.bool()
		case 5:
			e.DeadlineLifted = r.bool()
		case 4:
			e.Due = r.time()
		default:
			r.skip()
		}
	}
	return e
}

func appendJobCancelled(dst []byte, e *JobCancelled) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	dst = appendResult(dst, 3, &e.Result)
	return appendUint(dst, 4, uint64(e.Parent))
}

func (r *reader) jobCancelled() *JobCancelled {
	e := new(JobCancelled)
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			r.result(&e.Result)
		case 4:
			e.Parent = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}

func appendKillRequested(dst []byte, e KillRequested) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	dst = appendUint(dst, 3, uint64(e.Signal))
	return appendBool(dst, 4, e.Cancel)
}

func (r *reader) killRequested() (e KillRequested) {
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			e.Signal = r.toInt32(r.int())
		case 4:
			e.Cancel = r.bool()
		default:
			r.skip()
		}
	}
	return e
}

// onlyJob reads an event that says nothing but which job it is about.
func (r *reader) onlyJob() (key Position) {
	for r.next() {
		switch r.num {
		case 1:
			key = Position(r.uint())
		default:
			r.skip()
		}
	}
	return key
}

func appendJobsForgotten(dst []byte, e JobsForgotten) []byte {
	dst = appendText(dst, 1, e.Queue)
	dst = appendUint(dst, 2, uint64(e.State))
	dst = appendUint(dst, 3, uint64(e.Through))
	return appendUint(dst, 4, e.Jobs)
}

func (r *reader) jobsForgotten() (e JobsForgotten) {
	for r.next() {
		switch r.num {
		case 1:
			e.Queue = r.text()
		case 2:
			e.State = State(r.enum())
		case 3:
			e.Through = Position(r.uint())
		case 4:
			e.Jobs = r.uint()
		default:
			r.skip()
		}
	}
	return e
}

func (r *reader) jobsPurged() *JobsPurged {
	e := new(JobsPurged)
	for r.next() {
		switch r.num {
		case 1:
			e.Jobs = r.packed(e.Jobs)
		default:
			r.skip()
		}
	}
	return e
}

func appendConfigSet(dst []byte, e ConfigSet) []byte {
	dst = appendText(dst, 1, e.Key)
	dst = appendText(dst, 2, e.Old)
	return appendText(dst, 3, e.New)
}

func (r *reader) configSet() (e ConfigSet) {
	for r.next() {
		switch r.num {
		case 1:
			e.Key = r.text()
		case 2:
			e.Old = r.text()
		case 3:
			e.New = r.text()
		default:
			r.skip()
		}
	}
	return e
}

func appendConfigUnset(dst []byte, e ConfigUnset) []byte {
	dst = appendText(dst, 1, e.Key)
	return appendText(dst, 2, e.Old)
}

func (r *reader) configUnset() (e ConfigUnset) {
	for r.next() {
		switch r.num {
		case 1:
			e.Key = r.text()
		case 2:
			e.Old = r.text()
		default:
			r.skip()
		}
	}
	return e
}
