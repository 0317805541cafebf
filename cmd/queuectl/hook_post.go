package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// hookPostCmd is what workers run for a hook that is an address.
type hookPostCmd struct {
	URL string `arg:"" name:"url" help:"Address to post to."`
}

// postTimeout bounds a call, from the connection to the end of the answer.
const postTimeout = 30 * time.Second

// Help is shown below the usage line.
func (hookPostCmd) Help() string {
	return `Workers run this for a hook that is an address: it posts the job of QUEUECTL_HOOK_JOB as JSON. An answer
of 2xx within 30 seconds is success. Redirects are not followed.

Examples:

  queuectl hook-post https://example.com/done`
}

// Run posts.
func (c *hookPostCmd) Run(ctx context.Context, s *session) error {
	id := os.Getenv(job.HookJob)
	if id == "" {
		return usage(job.HookJob+" is not set: only a hook has a job to post", "")
	}
	var body bytes.Buffer
	err := s.existing(ctx, func(q *queue.Queue) error {
		j, err := hookedJob(ctx, q, id)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		return enc.Encode(viewJob(j))
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	return post(ctx, c.URL, &body)
}

// hookedJob returns the job with this id that the hook is of. Another one may have the id by now.
func hookedJob(ctx context.Context, q *queue.Queue, id string) (job.Job, error) {
	hook, err := q.Job(ctx, os.Getenv("QUEUECTL_JOB_ID"))
	if err != nil || len(hook.Spec.After) == 0 {
		return q.Job(ctx, id) // somebody tries it out
	}
	jobs, err := q.Jobs(ctx, []job.Position{hook.Spec.After[0].Key})
	if err == nil && len(jobs) == 0 {
		err = fmt.Errorf("job %q: %w: it has left the queue", id, job.ErrNotFound)
	}
	if err != nil {
		return job.Job{}, err
	}
	return jobs[0], nil
}

// post calls an address with JSON.
func post(ctx context.Context, address string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return invalid(err.Error(), "")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", program())
	client := http.Client{
		// A redirected POST arrives as a GET without the job.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() // only read
	const shown = 150         // bytes of an answer that says what is wrong
	text, _ := io.ReadAll(io.LimitReader(answer.Body, shown))
	if answer.StatusCode/100 != 2 {
		return &failure{code: "not_accepted", message: fmt.Sprintf("%s answered %s: %s", request.URL.Redacted(), answer.Status, bytes.TrimSpace(text))}
	}
	return nil
}
