package main

import (
	"fmt"
	"time"

	"github.com/queuectl/queuectl/job"
)

func cronChangedWords(e *job.CronChanged) (what, details string) {
	of := fmt.Sprintf("schedule %d", e.Cron)
	switch {
	case e.New != nil:
		return "schedule changed", fmt.Sprintf("%s, %s: %s %s, %s", of, e.New.Name, e.New.Schedule, e.New.Zone, commandLine(e.New.Job))
	case e.Paused:
		return "schedule paused", of
	}
	return "schedule resumed", of
}

func tickWords(e job.CronTicked) (what, details string) {
	at := func(ns int64) string { return time.Unix(0, ns).Local().Format(time.DateTime) }
	of := fmt.Sprintf("schedule %d", e.Cron)
	switch {
	case e.Tick == 0:
		return "schedule run", fmt.Sprintf("%s, job %d, as somebody asked for", of, e.Made)
	case e.Made != 0:
		return "schedule ticked", fmt.Sprintf("%s, job %d of %s", of, e.Made, at(e.Tick))
	case e.Since != 0:
		return "no job", fmt.Sprintf("%s, from %s to %s: %s", of, at(e.Since), at(e.Tick), skipWords(e.Skip))
	}
	return "no job", fmt.Sprintf("%s, of %s: %s", of, at(e.Tick), skipWords(e.Skip))
}

// skipWords says why a tick made no job.
func skipWords(why job.Skip) string {
	switch why {
	case job.SkipMissed:
		return "no worker was there in time"
	case job.SkipOverlap:
		return "an earlier job of the schedule had not ended"
	case job.SkipQueueFull:
		return "the queue held queue_max waiting jobs"
	case job.SkipExists:
		return "there was a job with its id"
	case job.SkipRefused:
		return "the job was refused"
	}
	return why.String()
}

// viewCronJob is the spec of a schedule's jobs as JSON: they have no id yet.
func viewCronJob(spec job.Spec) any {
	return struct {
		ID *struct{} `json:"id,omitempty"` // hides that of the spec
		specView
	}{specView: viewSpec(spec)}
}

// viewDefinition is a schedule in an event as JSON.
func viewDefinition(c *job.Cron) map[string]any {
	return map[string]any{
		"name": c.Name, "schedule": c.Schedule, "zone": c.Zone, "missed": c.Missed, "overlap": c.Overlap, "job": viewCronJob(c.Job),
	}
}
