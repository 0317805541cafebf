package main

import (
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// diffView is the difference of two moments as JSON. Fields are only ever added.
type diffView struct {
	From     placeView           `json:"from"`
	To       placeView           `json:"to"`
	Counts   countsView          `json:"counts"`
	Jobs     []jobChangeView     `json:"jobs"`
	Settings []settingChangeView `json:"settings"`
	Workers  []workerChangeView  `json:"workers"`
	Queues   []queueChangeView   `json:"queues"`
	Crons    []cronChangeView    `json:"schedules"`
}

// placeView is a place in the log: right after the event at the position.
type placeView struct {
	Position job.Position `json:"position"`
	Time     *time.Time   `json:"time"`
}

type countsView struct {
	Before map[string]int `json:"before"`
	After  map[string]int `json:"after"`
}

// jobChangeView is what became of a job; a state of null means that it was not there.
type jobChangeView struct {
	ID             string       `json:"id"`
	Position       job.Position `json:"position"` // of its enqueue
	StateBefore    *job.State   `json:"state_before"`
	StateAfter     *job.State   `json:"state_after"`
	AttemptsBefore uint32       `json:"attempts_before"`
	AttemptsAfter  uint32       `json:"attempts_after"`
	RunsBefore     uint32       `json:"runs_before"`
	RunsAfter      uint32       `json:"runs_after"`
	CrashesBefore  uint32       `json:"crashes_before"`
	CrashesAfter   uint32       `json:"crashes_after"`
	LastError      *string      `json:"last_error"` // after
}

type settingChangeView struct {
	Key       string `json:"key"`
	Before    string `json:"before"`
	After     string `json:"after"`
	SetBefore bool   `json:"set_before"` // otherwise it was the default
	SetAfter  bool   `json:"set_after"`
}

// queueChangeView is a queue of which it changed what holds it back; null = no limit.
type queueChangeView struct {
	Name              string  `json:"name"`
	PausedBefore      bool    `json:"paused_before"`
	PausedAfter       bool    `json:"paused_after"`
	ConcurrencyBefore *uint32 `json:"concurrency_before"`
	ConcurrencyAfter  *uint32 `json:"concurrency_after"`
	RateBefore        *string `json:"rate_before"`
	RateAfter         *string `json:"rate_after"`
}

// workerChangeView is a worker that started (or was there before: null) and ended (or not: null).
type workerChangeView struct {
	ID      string     `json:"id"`
	Started *placeView `json:"started"`
	Ended   *placeView `json:"ended"`
	Lost    bool       `json:"lost"` // it was found dead
}

// cronChangeView is what became of a schedule; null where it is not there.
type cronChangeView struct {
	Name   string    `json:"name"`
	Before *cronView `json:"before"`
	After  *cronView `json:"after"`
}

func viewDiff(diff *queue.Diff) any {
	v := diffView{
		From: viewPlace(diff.From), To: viewPlace(diff.To),
		Counts: countsView{countsByName(diff.Before), countsByName(diff.After)},
		Jobs:   []jobChangeView{}, Settings: []settingChangeView{}, Workers: []workerChangeView{}, Queues: []queueChangeView{},
		Crons: []cronChangeView{},
	}
	for _, c := range diff.Jobs {
		v.Jobs = append(v.Jobs, jobChangeView{
			ID: c.ID, Position: c.Key, StateBefore: optional(c.Before.State), StateAfter: optional(c.After.State),
			AttemptsBefore: c.Before.Attempts, AttemptsAfter: c.After.Attempts,
			RunsBefore: c.Before.Runs, RunsAfter: c.After.Runs,
			CrashesBefore: c.Before.Crashes, CrashesAfter: c.After.Crashes, LastError: optional(c.LastError),
		})
	}
	for _, c := range diff.Settings {
		v.Settings = append(v.Settings, settingChangeView{
			Key: c.After.Key, Before: c.Before.Value, After: c.After.Value, SetBefore: c.Before.Set, SetAfter: c.After.Set,
		})
	}
	for _, c := range diff.Queues {
		v.Queues = append(v.Queues, queueChangeView{
			Name: c.After.Name, PausedBefore: c.Before.Paused, PausedAfter: c.After.Paused,
			ConcurrencyBefore: optional(c.Before.Concurrency), ConcurrencyAfter: optional(c.After.Concurrency),
			RateBefore: optionalRate(c.Before.Limits), RateAfter: optionalRate(c.After.Limits),
		})
	}
	for _, w := range diff.Workers {
		v.Workers = append(v.Workers, workerChangeView{
			ID: w.ID, Started: optionalPlace(w.Started), Ended: optionalPlace(w.Ended), Lost: w.Lost,
		})
	}
	for _, c := range diff.Crons {
		v.Crons = append(v.Crons, cronChangeView{Name: c.Name, Before: optionalCron(c.Before), After: optionalCron(c.After)})
	}
	return v
}

func optionalCron(c *job.CronEntry) *cronView {
	if c == nil {
		return nil
	}
	return new(viewCron(*c))
}

func viewPlace(p queue.Place) placeView {
	return placeView{Position: p.Position, Time: optional(p.Time)}
}

func optionalPlace(p queue.Place) *placeView {
	if p.Position == 0 {
		return nil
	}
	return new(viewPlace(p))
}
