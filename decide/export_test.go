package decide

// LimitCascade lets a commit end so many jobs because of their parents, in place of some thousands.
func (s *State) LimitCascade(most int) { s.mostEnded = most }
