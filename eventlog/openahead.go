package eventlog

// openAhead opens segments in order, each while the one before it is read: to unpack one that is archived takes
// longer than to check it. next returns them; it must be called at most once for each. end waits for what is under
// way, and closes what nobody has taken. Until then nobody else may open segments of src.
func openAhead(src verifySource, segments []segmentInfo) (next func() (segmentFile, error), end func()) {
	type opened struct {
		file segmentFile
		err  error
	}
	ahead, quit, done := make(chan opened), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range segments {
			var o opened
			o.file, o.err = src.open(s.first)
			select {
			case ahead <- o:
			case <-quit:
				if o.err == nil {
					o.file.Close() // only read
				}
				return
			}
		}
	}()
	next = func() (segmentFile, error) {
		o := <-ahead
		return o.file, o.err
	}
	end = func() {
		close(quit)
		<-done
	}
	return next, end
}
