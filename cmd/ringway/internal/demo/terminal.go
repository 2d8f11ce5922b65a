package demo

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/cli"
)

// terminal writes what happens, a line a second and one for each event. It is safe
// for concurrent use.
type terminal struct {
	mu    sync.Mutex // guards out and shown
	out   io.Writer
	style cli.Style
	shown int // seconds

	series *series
	ended  chan struct{} // closed: no more lines
	done   chan struct{} // closed once run has ended; nil if it never began
	once   sync.Once
}

func newTerminal(cfg Config) *terminal {
	return &terminal{out: cfg.Out, style: cfg.Style, ended: make(chan struct{})}
}

// start begins the lines of a series.
func (t *terminal) start(s *series) {
	t.line(t.style.Dim(fmt.Sprintf("%6s  %-25s  %-25s  %7s %7s %6s %6s %6s",
		"second", "hit rate", "modulo (computed)", "loads", "modulo", "p50 ms", "p99 ms", "errors")))
	t.series, t.done = s, make(chan struct{})
	go t.run()
}

// stop ends them. It may be called again.
func (t *terminal) stop() {
	t.once.Do(func() { close(t.ended) })
	if t.done != nil {
		<-t.done
	}
}

func (t *terminal) run() {
	defer close(t.done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.catchUp()
		case <-t.ended:
			return
		}
	}
}

// catchUp writes the lines of the seconds that have ended.
func (t *terminal) catchUp() {
	if t.series == nil {
		return
	}
	seconds := t.series.until(time.Now())
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.shown < len(seconds); t.shown++ {
		t.write(t.secondLine(t.shown, &seconds[t.shown]))
	}
}

func (t *terminal) secondLine(number int, s *second) string {
	latency := func(q float64) string {
		return fmt.Sprintf("%.2f", s.latency.quantile(q).Seconds()*1000)
	}
	failures := thousands(s.errors)
	if s.errors > 0 {
		failures = t.style.Bold(fmt.Sprintf("%6s", failures))
	}
	return fmt.Sprintf("%6d  %s  %s  %7s %s %6s %6s %6s", number+1,
		rateBar(s.hitRate()), t.style.Dim(rateBar(s.shadowHitRate())),
		thousands(s.loads), t.style.Dim(fmt.Sprintf("%7s", thousands(s.shadowLoads))), latency(0.5), latency(0.99), failures)
}

// rateBar is a rate from 0 to 1 with a bar, 25 cells wide.
func rateBar(rate float64) string {
	const width = 18
	if math.IsNaN(rate) {
		return strings.Repeat(" ", 25)
	}
	bar := bar(rate, width)
	return fmt.Sprintf("%6s %s%s", percent(rate), bar, strings.Repeat(" ", width-cli.Width(bar)))
}

// bar draws a rate in eighths of a cell.
func bar(rate float64, width int) string {
	eighths := int(math.Round(rate * float64(width) * 8))
	eighths = max(0, min(eighths, width*8))
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

func (t *terminal) opening(r *Report) {
	cache := fmt.Sprintf("%d nodes, each a %s with an agent beside it", r.Nodes, r.Server)
	if r.Backend == Embedded {
		cache = fmt.Sprintf("%d nodes, each an embedded server in a process of its own, with an agent beside it", r.Nodes)
	}
	t.paragraph("", cache+fmt.Sprintf("; one client, %s keys. On the right what modulo would do with the same requests: computed, not run.", thousands(r.Keys)))
	t.line("")
}

// heading begins a step.
func (t *terminal) heading(s *Step) {
	t.catchUp()
	text := s.Name
	if s.Node != "" {
		text += " " + s.Node
	}
	t.line(t.style.Bold(text) + ": " + s.Title)
}

func (t *terminal) event(at float64, text string) {
	select {
	case <-t.ended: // seconds are shown no more
	default:
		t.catchUp()
	}
	t.line(t.style.Dim(fmt.Sprintf("%8s  %s", fmt.Sprintf("%.1f s", at), text)))
}

// result ends a step.
func (t *terminal) result(s *Step) {
	t.catchUp()
	if m := s.Moved; m != nil {
		verb := "moved"
		if s.Name == "kill" {
			verb = "lost with it"
		}
		t.paragraph("        ", fmt.Sprintf("%s of %s keys %s: %s, 1/N is %s; modulo %s (computed)",
			thousands(m.Moved), thousands(m.Keys), verb, percent(m.Share), percent(m.Ideal), percent(m.Modulo)))
	}
	if !s.complete {
		return
	}
	v := s.Verified
	text := fmt.Sprintf("%s keys looked at: ", thousands(v.Checked))
	if v.Missing+v.WrongValue+v.WrongTTL == 0 {
		text += "all there, with their values and times to live"
	} else {
		text += fmt.Sprintf("%s missing, %s wrong values, %s wrong times to live", thousands(v.Missing), thousands(v.WrongValue), thousands(v.WrongTTL))
	}
	t.paragraph("        ", text)
}

// hang writes a paragraph whose first line begins with lead and all others with as
// many spaces, none wider than cli.MaxWidth.
func hang(b *bytes.Buffer, lead, text string) {
	indent := strings.Repeat(" ", cli.Width(lead))
	width := 0
	for i, word := range strings.Fields(text) {
		switch length := cli.Width(word); {
		case i == 0:
			b.WriteString(lead)
			width = len(indent) + length
		case width+1+length > cli.MaxWidth:
			b.WriteString("\n" + indent)
			width = len(indent) + length
		default:
			b.WriteByte(' ')
			width += 1 + length
		}
		b.WriteString(word)
	}
	b.WriteByte('\n')
}

// paragraph writes text that may need more than one line.
func (t *terminal) paragraph(indent, text string) {
	var b bytes.Buffer
	hang(&b, indent, text)
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.out.Write(b.Bytes()) // a terminal that is gone ends the demo by a signal
}

func (t *terminal) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(text)
}

func (t *terminal) write(text string) {
	_, _ = io.WriteString(t.out, strings.TrimRight(text, " ")+"\n")
}
