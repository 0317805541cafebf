package main

import (
	"fmt"

	"github.com/queuectl/queuectl/job"
)

// batchTag is the tag of the jobs of a batch.
const batchTag = "batch"

// readBatch reads the jobs of a file that have a name in common and, with --then, the job that comes after all of
// them, which is a job like any other: its spec names them under after, on any end.
func (c *enqueueCmd) readBatch(s *session, then []byte) (batch, error) {
	switch {
	case c.File == "" || c.Batch == "" || len(c.JSON) > 0:
		return batch{}, usage("--batch needs --file, and --then needs both", "queuectl enqueue -f jobs.jsonl --batch NAME --then -- COMMAND")
	case c.Then != (then != nil):
		return batch{}, usage("--then is followed by a command, behind -- or with -c", "queuectl enqueue -f jobs.jsonl --batch NAME --then -- COMMAND")
	case c.ID != "":
		return batch{}, usage("--id: the job of --then is called as the batch", "")
	}
	b, err := readFile(s, c.File)
	if err != nil {
		return batch{}, err
	}
	parents := make([]job.Parent, len(b.specs))
	for i := range b.specs {
		spec := &b.specs[i]
		if spec.ID == "" {
			spec.ID = fmt.Sprintf("%s.%d", c.Batch, i+1)
		}
		if spec.Tags == nil {
			spec.Tags = map[string]string{}
		}
		spec.Tags[batchTag] = c.Batch
		parents[i] = job.Parent{ID: spec.ID, On: job.OnAny}
	}
	if !c.Then {
		return b, nil
	}
	if len(parents) > job.MaxParents {
		return batch{}, invalid(fmt.Sprintf("--then: %s holds %d jobs, and a job can come after at most %d", b.file, len(parents), job.MaxParents), "")
	}
	spec, _, err := job.ParseSpec(then)
	if err != nil {
		return batch{}, err
	}
	spec.ID, spec.After = c.Batch, append(parents, spec.After...)
	b.specs, b.lines = append(b.specs, spec), append(b.lines, 0)
	return b, nil
}
