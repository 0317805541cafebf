package main

type logCmd struct {
	List    logListCmd    `cmd:"" help:"List the events of the log."`
	Follow  logFollowCmd  `cmd:"" help:"Print events as they happen."`
	Replay  logReplayCmd  `cmd:"" help:"Go through the log event by event, and see what each one changed."`
	Export  logExportCmd  `cmd:"" help:"Print the log with everything that proves it."`
	Stats   logStatsCmd   `cmd:"" help:"Sum up the log: events, rates, sizes, how long jobs waited and ran."`
	Verify  logVerifyCmd  `cmd:"" help:"Check every byte of the log."`
	Repair  logRepairCmd  `cmd:"" help:"Show what is damaged, and take it out of the log."`
	Archive logArchiveCmd `cmd:"" help:"Compress the oldest parts of the log."`
	Prune   logPruneCmd   `cmd:"" help:"Remove the oldest archives of the log."`
}
