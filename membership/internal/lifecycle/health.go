package lifecycle

// Health judges a server by its probes: a few failures in a row make it
// unhealthy, a few successes healthy again. The zero value has seen no probe and
// is not healthy.
type Health struct {
	FailuresToFall, SuccessesToRise int // 0 means 3, and 2

	healthy             bool
	failures, successes int
}

// Record takes the outcome of one probe, and returns whether the server is
// healthy. The first success counts at once.
func (h *Health) Record(ok bool) bool {
	fall, rise := h.FailuresToFall, h.SuccessesToRise
	if fall == 0 {
		fall = 3
	}
	if rise == 0 {
		rise = 2
	}
	if !ok {
		h.failures, h.successes = h.failures+1, 0
		if h.failures >= fall {
			h.healthy = false
		}
		return h.healthy
	}
	first := h.failures == 0 && h.successes == 0
	h.failures, h.successes = 0, h.successes+1
	if first || h.successes >= rise {
		h.healthy = true
	}
	return h.healthy
}
