package demo

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
)

// demo is one run.
type demo struct {
	cfg    Config
	fleet  *fleet
	work   *workload
	source *gossip.Gossip
	watch  *watcher
	load   *load
	show   *terminal
	report *Report

	leftAlone    error // how the agent that was drained ended
	disagreement error // why not all agree in the end
	unfinished   error // why the script was given up

	mu     sync.Mutex // guards events
	events []Event
}

// Event is something that the fleet did.
type Event struct {
	Second float64 `json:"second"` // since the load began
	Text   string  `json:"text"`
}

// Run runs the demo, and returns what came of it: also if promises were broken,
// which Report.Broken names. An error means that there is nothing to tell, because
// the context ended or nothing could be started. With Config.Keep it calls kept
// with the report and returns when the context ends. Nothing is left behind in
// either case.
func Run(ctx context.Context, cfg Config, kept func(*Report) error) (report *Report, err error) {
	cfg, err = cfg.complete()
	if err != nil {
		return nil, err
	}
	work, err := newWorkload(cfg.Keys)
	if err != nil {
		return nil, err
	}
	fleet, err := newFleet(cfg)
	if err != nil {
		return nil, err
	}
	d := &demo{cfg: cfg, fleet: fleet, work: work, show: newTerminal(cfg), report: newReport(ctx, cfg)}
	defer func() { err = errors.Join(err, fleet.close()) }()
	defer d.stop()
	if err := d.run(ctx); err != nil {
		return nil, err
	}
	if cfg.Keep {
		if d.report.join, err = fleet.invite(ctx); err != nil {
			return nil, err
		}
		if err := kept(d.report); err != nil {
			return nil, err
		}
		<-ctx.Done()
	}
	return d.report, nil
}

// quiet swallows what go-redis writes of each dial that fails: requests say it.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func (d *demo) run(ctx context.Context) error {
	redis.SetLogger(quiet{})
	d.show.opening(d.report)
	if err := d.begin(ctx); err != nil {
		return err
	}
	d.show.start(d.load.series)
	err := d.script(ctx)
	d.show.stop()
	d.endStep()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.unfinished = err
	d.mu.Lock()
	d.report.Events = slices.Clone(d.events)
	d.mu.Unlock()
	if !d.cfg.Keep {
		d.load.stop()
	}
	d.report.fill(d)
	d.show.closing(d.report)
	return nil
}

// begin starts the fleet and the client, and waits until they are one.
func (d *demo) begin(ctx context.Context) error {
	if err := d.fleet.begin(ctx, d.cfg.Nodes); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(d.fleet.dir, "client.log"))
	if err != nil {
		return err
	}
	d.source, err = gossip.Join(ctx, gossip.Config{
		Cluster: d.fleet.cluster, Name: "demo", Seeds: strings.Split(d.fleet.seeds(), ","), Network: gossip.Local,
		Bind: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	d.load = &load{cfg: d.cfg, work: d.work, database: newDatabase(d.work.keys), oracle: newOracle(len(d.work.keys)),
		shadow: &shadow{}, series: newSeries(), findings: &findings{}}
	d.watch = newWatcher(d.cfg.Backend.kind(), d.source, d.follow, d.note)
	err = d.watch.await(ctx, "the fleet comes together", func(s sight) bool { return s.settled() && len(s.current) == d.cfg.Nodes })
	if err != nil {
		return err
	}
	d.load.cache, err = newCache(ctx, d.cfg.Backend.kind(), d.source)
	d.load.series = newSeries() // the first second begins now
	return err
}

// follow gives the shadow the nodes to which keys belong: the next ones as soon as
// keys move.
func (d *demo) follow(s sight) {
	nodes := s.current
	if s.phase == membership.PhaseImporting {
		nodes = s.next
	}
	if len(nodes) > 0 {
		d.load.shadow.follow(d.work.keys, nodes)
	}
}

// note keeps an event for the report, and shows it.
func (d *demo) note(text string) {
	if len(d.report.Steps) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, at := d.load.series.at(time.Now())
	d.events = append(d.events, Event{at, text})
	d.show.event(at, text)
}

// stop ends what runs in this process. What did not begin is nil.
func (d *demo) stop() {
	d.show.stop()
	if d.load != nil {
		d.load.stop()
		if d.load.cache != nil {
			_ = d.load.cache.close()
		}
	}
	if d.watch != nil {
		d.watch.close()
	}
	if d.source != nil {
		_ = d.source.Close()
	}
}
