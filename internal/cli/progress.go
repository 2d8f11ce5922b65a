package cli

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress is a bar on a terminal for work that takes longer than a second. It
// is safe for concurrent use.
type Progress struct {
	w        io.Writer
	label    string
	terminal bool
	now      func() time.Time
	start    time.Time

	mu   sync.Mutex // guards what follows
	bar  *progressbar.ProgressBar
	done int64
}

// NewProgress returns the progress of work that begins now. It shows nothing
// where w is not a terminal. Close it before anything else is written.
func NewProgress(w io.Writer, label string) *Progress {
	return &Progress{w: w, label: label, terminal: IsTerminal(w), now: time.Now, start: time.Now()}
}

// Set shows that done of total is done. A total of 0 or below is one that is
// not known.
func (p *Progress) Set(done, total int64) {
	if !p.terminal {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if done < p.done { // calls of several goroutines may overtake each other
		return
	}
	p.done = done
	if p.bar == nil {
		if p.now().Sub(p.start) < time.Second {
			return
		}
		if total <= 0 {
			total = -1
		}
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription(p.label),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(total > 0),
			progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = p.bar.Set64(done) // fails only past the total, which is no reason to stop
}

// Close removes the bar from the terminal.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
	p.terminal = false
}
