package main

type workerCmd struct {
	Start workerStartCmd `cmd:"" help:"Run jobs until told to stop."`
	Stop  workerStopCmd  `cmd:"" help:"Ask the running workers to stop."`
	List  workerListCmd  `cmd:"" help:"List the workers."`
}
