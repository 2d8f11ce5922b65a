package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// prepared is a package's test binary with the mutants that are behind switches, and
// what its tests do while none is chosen.
type prepared struct {
	binary string
	baseline
}

// tryAll tries the mutants and says how far it is.
func (c *workingCopy) tryAll(ctx context.Context, all []*trial) ([]result, error) {
	if err := c.findAll(all); err != nil {
		return nil, err
	}
	if _, err := c.writeSwitches(all); err != nil { // finds which are alone
		return nil, err
	}
	byPackage := groups(all, func(t *trial) string { return t.pkg })
	alone := 0
	for _, t := range all {
		if t.alone != "" {
			alone++
		}
	}
	fmt.Printf("%d mutations: %d behind switches in the test binaries of %d packages, %d in one of their own: %d builds, %d runs\n",
		len(all), len(all)-alone, len(byPackage), alone, len(byPackage)+alone, len(byPackage)+len(all))
	packages := make(map[string]prepared)
	for _, of := range byPackage {
		p, err := c.prepare(ctx, of, all)
		if err != nil {
			return nil, err
		}
		packages[of[0].pkg] = p
	}
	return c.tryPrepared(ctx, all, packages)
}

// tryPrepared tries what is behind switches, then the rest without any: the compiler
// has half as much to do there.
func (c *workingCopy) tryPrepared(ctx context.Context, all []*trial, packages map[string]prepared) ([]result, error) {
	results := make([]result, len(all))
	done := 0
	each := func(alone bool, try func(context.Context, *trial, prepared) (result, error)) error {
		for i, t := range all {
			if (t.alone != "") != alone {
				continue
			}
			began := time.Now()
			r, err := try(ctx, t, packages[t.pkg])
			if err != nil {
				return err
			}
			if (t.alone != "") != alone {
				continue // it was not reached: later
			}
			done++
			r.took = time.Since(began)
			results[i] = r
			fmt.Printf("%*d of %d  %-10s %-34s %5.1f s  %s%s\n",
				len(fmt.Sprint(len(all))), done, len(all), r.verdict, r.name, r.took.Seconds(), r.killers(), aside(t))
		}
		return nil
	}
	if err := each(false, c.try); err != nil {
		return nil, err
	}
	if err := c.removeSwitches(all); err != nil {
		return nil, err
	}
	return results, each(true, c.tryAlone)
}

// aside says why a mutant was built on its own.
func aside(t *trial) string {
	if t.alone == "" {
		return ""
	}
	return " (built alone: " + t.alone + ")"
}

// prepare builds a package's tests, all of which have to pass while no mutant is
// chosen.
func (c *workingCopy) prepare(ctx context.Context, of, all []*trial) (p prepared, err error) {
	pkg, began := of[0].pkg, time.Now()
	if p.binary, err = c.buildSwitched(ctx, pkg, all); err != nil {
		return p, err
	}
	var tests []string
	for _, t := range of {
		tests = append(tests, t.names()...)
	}
	slices.Sort(tests)
	tests = slices.Compact(tests)
	built := time.Since(began)
	run, err := c.test(ctx, p.binary, pkg, tests, 0, 15*time.Minute)
	if err != nil {
		return p, err
	}
	if p.baseline, err = readBaseline(run, tests); err != nil {
		return p, fmt.Errorf("without a mutation: %s: %w", pkg, err)
	}
	fmt.Printf("passes  %s: %d tests, %.0f s to build, %.0f s to run\n", pkg, len(tests), built.Seconds(), (time.Since(began) - built).Seconds())
	for _, test := range p.skipped {
		fmt.Printf("        %s was skipped\n", test)
	}
	return p, nil
}

// try says what becomes of a mutant behind a switch. One that its tests have not
// reached was not tried, whatever they say (they may run programs to which the number
// does not come): it is marked as alone, and nothing is said of it.
func (c *workingCopy) try(ctx context.Context, t *trial, p prepared) (result, error) {
	if test := p.skips(t); test != "" {
		return unknown(t, test+" was skipped", true), nil
	}
	run, err := c.test(ctx, p.binary, t.pkg, t.names(), t.number, p.limit(t.names()))
	if err != nil {
		return result{}, err
	}
	if !run.reached {
		t.alone = "its tests did not reach it"
		return result{}, nil
	}
	return judge(t, run), nil
}

// tryAlone says what becomes of a mutant that is built on its own.
func (c *workingCopy) tryAlone(ctx context.Context, t *trial, p prepared) (r result, err error) {
	if test := p.skips(t); test != "" {
		return unknown(t, test+" was skipped", true), nil
	}
	binary, undo, err := c.buildAlone(ctx, t)
	if errors.Is(err, errBuild) {
		return unknown(t, err.Error(), false), nil
	} else if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, undo(), os.Remove(binary)) }()
	run, err := c.test(ctx, binary, t.pkg, t.names(), 0, p.limit(t.names()))
	if err != nil {
		return r, err
	}
	return judge(t, run), nil
}

// complaint is the error that a run ends with, nil if all is well.
func complaint(results []result) (err error) {
	alive, unknown := 0, 0
	for _, r := range results {
		switch {
		case r.verdict == lives:
			alive++
		case r.verdict == nothing && !r.skipped:
			unknown++
		}
	}
	if alive > 0 {
		err = fmt.Errorf("%d of %d mutants live", alive, len(results))
	}
	if unknown > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d mutants have no verdict", unknown, len(results)))
	}
	return err
}
