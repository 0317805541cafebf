package projection

import (
	"cmp"
	"iter"
	"slices"

	"github.com/queuectl/queuectl/job"
)

// worker is one that has neither stopped nor been lost.
type worker struct{ job.Worker }

// end takes a job out of those that the worker runs.
func (w *worker) end(key job.Position) {
	i := slices.Index(w.Running, key)
	w.Running = slices.Delete(w.Running, i, i+1)
}

// copy is for the receiver of a query.
func (w *worker) copy() job.Worker {
	c := w.Worker
	c.Queues, c.Kinds, c.Running = slices.Clone(c.Queues), slices.Clone(c.Kinds), slices.Clone(c.Running)
	return c
}

func (p *Projection) searchWorker(key job.Position) (i int, found bool) {
	return slices.BinarySearchFunc(p.workers, key, func(w *worker, key job.Position) int {
		return cmp.Compare(w.Key, key)
	})
}

// worker returns the worker with this key, nil if it is not known.
func (p *Projection) worker(key job.Position) *worker {
	i, found := p.searchWorker(key)
	if !found {
		return nil
	}
	return p.workers[i]
}

func (p *Projection) workerStarted(at job.At, e *job.WorkerStarted) error {
	if _, known := p.WorkerByID(e.ID); known {
		return p.misfit(at, e, "the worker's id must be new")
	}
	w := &worker{job.Worker{
		Key: at.Position, ID: e.ID, Slots: e.Slots, Shell: e.Shell,
		Queues: slices.Clone(e.Queues), Kinds: slices.Clone(e.Kinds), StartedAt: at.When(),
	}}
	if a := at.Actor; a != nil {
		w.User, w.Host, w.PID = a.User, a.Host, a.PID
	}
	p.workers = append(p.workers, w)
	p.latest = at.Position
	return nil
}

func (p *Projection) workerGone(at job.At, key job.Position, e job.Event) error {
	i, known := p.searchWorker(key)
	switch {
	case !known:
		return p.misfit(at, e, "the worker must be known")
	case len(p.workers[i].Running) > 0:
		return p.misfit(at, e, "the worker must have no runs")
	}
	p.workers = slices.Delete(p.workers, i, i+1)
	return nil
}

func (p *Projection) stopRequested(at job.At, e job.StopRequested) error {
	reached := p.workers
	if e.Worker != 0 {
		i, known := p.searchWorker(e.Worker)
		if !known {
			return p.misfit(at, e, "the worker must be known")
		}
		reached = p.workers[i : i+1]
	}
	for _, w := range reached {
		w.Stopping = true
		w.StopNow = w.StopNow || e.Now
	}
	return nil
}

// Workers yields the workers that have neither stopped nor been lost, in order of start.
func (p *Projection) Workers() iter.Seq[job.Worker] {
	return func(yield func(job.Worker) bool) {
		for _, w := range p.workers {
			if !yield(w.copy()) {
				return
			}
		}
	}
}

// Worker returns the worker with this key, if it has neither stopped nor been lost.
func (p *Projection) Worker(key job.Position) (job.Worker, bool) {
	w := p.worker(key)
	if w == nil {
		return job.Worker{}, false
	}
	return w.copy(), true
}

// WorkerByID returns the key of the worker with this id, if it has neither stopped nor been lost.
func (p *Projection) WorkerByID(id string) (job.Position, bool) {
	for _, w := range p.workers {
		if w.ID == id {
			return w.Key, true
		}
	}
	return 0, false
}

// LastWorker returns the key of the latest worker that ever started, 0 if none did.
func (p *Projection) LastWorker() job.Position { return p.latest }

// Stopping says whether the worker with this key was asked to stop; known is false if there is no such
// worker. It allocates nothing: it is asked for every claim.
func (p *Projection) Stopping(key job.Position) (stopping, known bool) {
	w := p.worker(key)
	if w == nil {
		return false, false
	}
	return w.Stopping, true
}
