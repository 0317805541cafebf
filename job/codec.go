package job

import (
	"bytes"
	"fmt"
)

// AppendEvent appends the encoding of e, which is the message of event.proto that has the name of e's
// type. Equal events have equal bytes. It keeps no reference to e.
//
// Of a JobEnqueued event, Spec.RunAt and Spec.Delay are not written, since Due holds what became of
// them; the queue "" is the same as [DefaultQueue].
func AppendEvent(dst []byte, e Event) []byte {
	switch e := e.(type) {
	case *JobEnqueued:
		return appendJobEnqueued(dst, e)
	case JobClaimed:
		return appendJobClaimed(dst, e)
	case *JobCompleted:
		return appendJobCompleted(dst, e)
	case *JobFailed:
		return appendJobFailed(dst, e)
	case *JobDied:
		return appendJobDied(dst, e)
	case RunLost:
		return appendRunLost(dst, e)
	case RunReturned:
		return appendRunReturned(dst, e)
	case JobRetried:
		return appendJobRetried(dst, e)
	case *JobCancelled:
		return appendJobCancelled(dst, e)
	case KillRequested:
		return appendKillRequested(dst, e)
	case JobHeld:
		return appendUint(dst, 1, uint64(e.Job))
	case JobReleased:
		return appendUint(dst, 1, uint64(e.Job))
	case *JobEdited:
		return appendJobEdited(dst, e)
	case JobsForgotten:
		return appendJobsForgotten(dst, e)
	case *JobsPurged:
		return appendPacked(dst, 1, e.Jobs)
	case *WorkerStarted:
		return appendWorkerStarted(dst, e)
	case WorkerStopped:
		return appendWorkerStopped(dst, e)
	case StopRequested:
		return appendStopRequested(dst, e)
	case WorkerLost:
		return appendWorkerLost(dst, e)
	case QueuePaused:
		return appendQueuePaused(dst, e)
	case QueueResumed:
		return appendQueueResumed(dst, e)
	case QueueLimited:
		return appendQueueLimited(dst, e)
	case *CronAdded:
		return appendCronAdded(dst, e)
	case *CronChanged:
		return appendCronChanged(dst, e)
	case CronRemoved:
		return appendCronRemoved(dst, e)
	case CronTicked:
		return appendCronTicked(dst, e)
	case LogCreated:
		return appendLogCreated(dst, e)
	case LogRepaired:
		return appendLogRepaired(dst, e)
	case ClockStepped:
		return appendClockStepped(dst, e)
	case LogRestored:
		return appendLogRestored(dst, e)
	case ArchivePruned:
		return appendArchivePruned(dst, e)
	case ConfigSet:
		return appendConfigSet(dst, e)
	case ConfigUnset:
		return appendConfigUnset(dst, e)
	case Unknown:
		return append(dst, e.Data...)
	}
	panic(fmt.Sprintf("job: %T is not in the catalogue of events", e))
}

// DecodeEvent reads an event. An unknown kind gives Unknown, never an error; unknown fields of a known
// kind are skipped. Bytes that the schema does not allow give an error that wraps ErrDecode. The event
// keeps no reference to data. The types are those that the methods of [Event] are declared on: small
// events are values, those with a Result or a list are pointers.
func DecodeEvent(k Kind, data []byte) (Event, error) {
	if k == KindJobEnqueued {
		e, err := DecodeEnqueued(string(data)) // one copy that all its texts share
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	r := reader{data: data}
	e := r.event(k)
	if e == nil {
		return Unknown{Number: k, Data: bytes.Clone(data)}, nil
	}
	if r.err != nil {
		return nil, r.failure(k)
	}
	return e, nil
}

// event reads an event of any kind but JobEnqueued. It is nil if the kind is unknown.
func (r *reader) event(k Kind) Event {
	switch k {
	case KindJobClaimed:
		return r.jobClaimed()
	case KindJobCompleted:
		return r.jobCompleted()
	case KindJobFailed:
		return r.jobFailed()
	case KindJobDied:
		return r.jobDied()
	case KindRunLost:
		return r.runLost()
	case KindRunReturned:
		return r.runReturned()
	case KindJobRetried:
		return r.jobRetried()
	case KindJobCancelled:
		return r.jobCancelled()
	case KindKillRequested:
		return r.killRequested()
	case KindJobHeld:
		return JobHeld{Job: r.onlyJob()}
	case KindJobReleased:
		return JobReleased{Job: r.onlyJob()}
	case KindJobEdited:
		return r.jobEdited()
	case KindJobsForgotten:
		return r.jobsForgotten()
	case KindJobsPurged:
		return r.jobsPurged()
	case KindWorkerStarted:
		return r.workerStarted()
	case KindWorkerStopped:
		return r.workerStopped()
	case KindStopRequested:
		return r.stopRequested()
	case KindWorkerLost:
		return r.workerLost()
	case KindQueuePaused:
		return r.queuePaused()
	case KindQueueResumed:
		return r.queueResumed()
	case KindQueueLimited:
		return r.queueLimited()
	case KindCronAdded:
		return r.cronAdded()
	case KindCronChanged:
		return r.cronChanged()
	case KindCronRemoved:
		return r.cronRemoved()
	case KindCronTicked:
		return r.cronTicked()
	case KindLogCreated:
		return r.logCreated()
	case KindLogRepaired:
		return r.logRepaired()
	case KindClockStepped:
		return r.clockStepped()
	case KindLogRestored:
		return r.logRestored()
	case KindArchivePruned:
		return r.archivePruned()
	case KindConfigSet:
		return r.configSet()
	case KindConfigUnset:
		return r.configUnset()
	}
	return nil
}
