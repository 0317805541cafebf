package simulate

// lane is a queue and kind of job.
type lane struct{ queue, kind string }

// pools holds the whole runs of the record: where the runs come from that a simulation needs and the record
// does not have.
type pools struct {
	lanes map[lane]pool
	all   pool
}

// pool holds runs by the number of failed attempts that had gone before. A number that no run had is empty.
type pool [][]int32

func (p *pools) add(l lane, attempts uint32, run int32) {
	p.lanes[l] = p.lanes[l].with(attempts, run)
	p.all = p.all.with(attempts, run)
}

func (p pool) with(attempts uint32, run int32) pool {
	for len(p) <= int(attempts) {
		p = append(p, nil)
	}
	p[attempts] = append(p[attempts], run)
	return p
}

// draw chooses a run for a job with so many failed attempts: one that another job of the lane had at that
// attempt, or at the deepest one before it that the record knows, or at the first after it. A lane without
// runs borrows those of all lanes. There must be some.
func (p *pools) draw(l lane, attempts uint32, lot uint64) int32 {
	from := p.lanes[l]
	if from == nil {
		from = p.all
	}
	depth := min(int(attempts), len(from)-1)
	for depth > 0 && len(from[depth]) == 0 {
		depth--
	}
	for len(from[depth]) == 0 {
		depth++
	}
	return from[depth][lot%uint64(len(from[depth]))]
}

// lot is the number that a job draws for one of its runs. It depends on nothing else that happens, so
// that a change of the settings changes the luck of no job.
func lot(seed uint64, key int32, ordinal uint32) uint64 {
	return mix(mix(seed) ^ mix(uint64(key)<<32|uint64(ordinal)))
}

// mix makes a number that looks random from one that does not: the finalizer of SplitMix64 (Steele,
// Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
