package job

func appendWorkerStarted(dst []byte, e *WorkerStarted) []byte {
	dst = appendText(dst, 1, e.ID)
	dst = appendUint(dst, 2, uint64(e.Slots))
	dst = appendTexts(dst, 3, e.Queues)
	dst = appendTexts(dst, 4, e.Kinds)
	return appendBool(dst, 5, e.Shell)
}

func (r *reader) workerStarted() *WorkerStarted {
	e := new(WorkerStarted)
	for r.next() {
		switch r.num {
		case 1:
			e.ID = r.text()
		case 2:
			e.Slots = r.uint32()
		case 3:
			e.Queues = append(e.Queues, r.text())
		case 4:
			e.Kinds = append(e.Kinds, r.text())
		case 5:
			e.Shell = r.bool()
		default:
			r.skip()
		}
	}
	return e
}

func appendWorkerStopped(dst []byte, e WorkerStopped) []byte {
	dst = appendUint(dst, 1, uint64(e.Worker))
	return appendText(dst, 2, e.Why)
}

func (r *reader) workerStopped() (e WorkerStopped) {
	for r.next() {
		switch r.num {
		case 1:
			e.Worker = Position(r.uint())
		case 2:
			e.Why = r.text()
		default:
			r.skip()
		}
	}
	return e
}

func appendStopRequested(dst []byte, e StopRequested) []byte {
	dst = appendUint(dst, 1, uint64(e.Worker))
	return appendBool(dst, 2, e.Now)
}

func (r *reader) stopRequested() (e StopRequested) {
	for r.next() {
		switch r.num {
		case 1:
			e.Worker = Position(r.uint())
		case 2:
			e.Now = r.bool()
		default:
			r.skip()
		}
	}
	return e
}

func appendWorkerLost(dst []byte, e WorkerLost) []byte {
	return appendUint(dst, 1, uint64(e.Worker))
}

func (r *reader) workerLost() (e WorkerLost) {
	for r.next() {
		switch r.num {
		case 1:
			e.Worker = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}
