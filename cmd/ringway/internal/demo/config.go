package demo

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ringway/ringway/internal/cli"
)

// Config says what is shown, and how. The zero value of a field that is not said
// to be required is its default.
type Config struct {
	Nodes   int     // at the beginning; 0 means 4
	Keys    int     // in the cache; 0 means those of the bundled trace
	Rate    int     // requests a second; 0 means 4,000
	Backend Backend // empty: see Choose

	// Calm is how long the load goes on after each step before the next; 0 means 3 s.
	Calm time.Duration

	Keep bool // the fleet runs on until the context ends

	// HTML is the file of the page. Empty: none.
	HTML string

	// Out is where lines go while the demo runs, in the style of Style. Required.
	Out   io.Writer
	Style cli.Style

	Version string // of this program

	program  string      // that is run as an agent; empty: this one
	sabotage func(*load) // called when the first step has begun in which a node joins; nil: not
}

// Bounds of what a machine can be asked for. With fewer than three nodes nobody is
// left in the end who could evict the one that is killed.
const (
	MinNodes, MaxNodes = 3, 16
	MinKeys, MaxKeys   = 100, 500_000
	MinRate, MaxRate   = 100, 50_000

	DefaultNodes = 4
	DefaultKeys  = 13_756 // products in the bundled trace
	DefaultRate  = 4_000  // a second: what two cores hold that do something else too

	DefaultCalm = 3 * time.Second
	MaxCalm     = time.Minute
)

// complete checks a Config and fills in what was left out.
func (c Config) complete() (Config, error) {
	for _, f := range []struct {
		name                string
		value               *int
		fallback, low, high int
	}{
		{"Nodes", &c.Nodes, DefaultNodes, MinNodes, MaxNodes},
		{"Keys", &c.Keys, DefaultKeys, MinKeys, MaxKeys},
		{"Rate", &c.Rate, DefaultRate, MinRate, MaxRate},
	} {
		if *f.value == 0 {
			*f.value = f.fallback
		}
		if *f.value < f.low || *f.value > f.high {
			return c, fmt.Errorf("demo: Config.%s: got %d, want %d to %d", f.name, *f.value, f.low, f.high)
		}
	}
	if c.Backend == "" {
		c.Backend = Choose()
	}
	if err := c.Backend.Check(); err != nil {
		return c, err
	}
	if c.Calm == 0 {
		c.Calm = DefaultCalm
	}
	if c.Calm < 0 || c.Calm > MaxCalm {
		return c, fmt.Errorf("demo: Config.Calm: got %v, want above 0 and up to %v", c.Calm, MaxCalm)
	}
	var err error
	if c.program == "" {
		c.program, err = os.Executable()
	}
	return c, err
}

// moveKeys is how many keys a second a node hands over at most: so few that it
// takes some seconds in which requests meet keys on the move.
func (c Config) moveKeys() int { return max(100, c.Keys/12) }
