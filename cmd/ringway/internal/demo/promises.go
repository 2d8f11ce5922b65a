package demo

import (
	"fmt"
	"strings"
)

// Promise is something that the demo is to show, and whether it did.
type Promise struct {
	Name   string `json:"name"`
	Kept   bool   `json:"kept"`
	Detail string `json:"detail"` // what was found
}

// sigmas is how many standard deviations of so many keys the share that moved may
// be from the ring's exact figure.
const sigmas = 4

// judge returns all promises, in the order of the script.
func (d *demo) judge() []Promise {
	fill, add, drain, kill := d.step("fill"), d.step("add"), d.step("drain"), d.step("kill")
	steps := []*Step{fill, add, drain, kill}
	promises := []Promise{
		d.done(),
		whole(add, "a node that joins takes its share of the keys, and no other key moves"),
		nothingLost(add, "while a node joins no key is lost, and none that is there is missed"),
		whole(drain, "a node that leaves gives its keys away, and no other key moves"),
		nothingLost(drain, "while a node is drained no key is lost, and none that is there is missed"),
		noErrors(steps[:3]),
		whole(kill, "a node that is killed takes its own keys with it, and no other key moves"),
		onlyItsKeys(kill),
		errorsEnd(kill),
		values(steps),
		lives(steps, d.cfg.Backend),
		d.agreed(),
	}
	return promises
}

// step returns one by its name; nil if the script did not come to its end.
func (d *demo) step(name string) *Step {
	for _, s := range d.report.Steps {
		if s.Name == name && s.complete {
			return s
		}
	}
	return nil
}

const notReached = "the demo did not get that far"

func (d *demo) done() Promise {
	p := Promise{Name: "every change of the fleet comes to its end", Kept: d.unfinished == nil && d.leftAlone == nil}
	switch {
	case d.unfinished != nil:
		p.Detail = d.unfinished.Error()
	case d.leftAlone != nil:
		p.Detail = d.leftAlone.Error()
	default:
		var took []string
		for _, s := range d.report.Steps[1:] {
			took = append(took, fmt.Sprintf("%s %.1f s", s.Name, s.Took()))
		}
		p.Detail = strings.Join(took, ", ")
	}
	return p
}

// whole judges what moved.
func whole(s *Step, name string) Promise {
	p := Promise{Name: name, Detail: notReached}
	if s != nil {
		m := s.Moved
		p.Kept = m.Sigmas <= sigmas && m.Between == 0 && m.Doubled == 0
		p.Detail = fmt.Sprintf("%s of %s keys (%s), by the ring %s", thousands(m.Moved), thousands(m.Keys), percent(m.Share), percent(m.Exact))
		if m.Sigmas > sigmas {
			p.Detail += fmt.Sprintf(": %.1f standard deviations apart, at most %d", m.Sigmas, sigmas)
		}
		if m.Between > 0 {
			p.Detail += fmt.Sprintf("; %s between nodes that stay", thousands(m.Between))
		}
		if m.Doubled > 0 {
			p.Detail += fmt.Sprintf("; %s lie on two nodes", thousands(m.Doubled))
		}
	}
	return p
}

func nothingLost(s *Step, name string) Promise {
	p := Promise{Name: name, Detail: notReached}
	if s != nil {
		p.Kept = s.Verified.complete() && s.Finding.Lost == 0
		p.Detail = fmt.Sprintf("%s keys looked at, %s not there; %s misses of keys that had to be there",
			thousands(s.Verified.Checked), thousands(s.Verified.Missing), thousands(s.Finding.Lost))
	}
	return p
}

func noErrors(steps []*Step) Promise {
	p := Promise{Name: "no request fails while nodes join and leave", Kept: true}
	requests, errors := 0, 0
	for _, s := range steps {
		if s == nil {
			p.Kept, p.Detail = false, notReached
			return p
		}
		requests, errors = requests+s.Reads+s.Updates, errors+s.Finding.Errors
		p.Kept = p.Kept && s.Finding.Errors == 0
		if p.Detail == "" && s.Finding.Errors > 0 && len(s.Finding.First) > 0 {
			p.Detail = ", such as: " + s.Finding.First[0]
		}
	}
	p.Detail = fmt.Sprintf("%s of %s requests failed", thousands(errors), thousands(requests)) + p.Detail
	return p
}

func onlyItsKeys(s *Step) Promise {
	p := Promise{Name: "a killed node costs errors and misses for its own keys alone", Detail: notReached}
	if s != nil {
		unexcused := s.Finding.Unexcused - s.Finding.Late
		p.Kept = s.Verified.complete() && unexcused == 0
		p.Detail = fmt.Sprintf("%s other keys looked at, %s not there; %s errors and misses of other keys",
			thousands(s.Verified.Checked), thousands(s.Verified.Missing), thousands(unexcused))
		if !p.Kept && len(s.Finding.First) > 0 {
			p.Detail += ", such as: " + s.Finding.First[0]
		}
	}
	return p
}

func errorsEnd(s *Step) Promise {
	p := Promise{Name: "the errors end with the eviction", Detail: notReached}
	if s != nil {
		p.Kept = s.Finding.Late == 0
		p.Detail = fmt.Sprintf("%s errors until %.1f s after the kill, %s after", thousands(s.Finding.Errors-s.Finding.Late), s.Took(), thousands(s.Finding.Late))
	}
	return p
}

func values(steps []*Step) Promise {
	p := Promise{Name: "every value is what was stored last", Kept: true}
	looked, wrong := 0, 0
	for _, s := range steps {
		if s == nil {
			p.Kept = false
			continue
		}
		looked += s.Verified.Checked + s.Hits
		wrong += s.Verified.WrongValue + s.Finding.Wrong
	}
	p.Kept = p.Kept && wrong == 0
	p.Detail = fmt.Sprintf("%s of %s values that were read are not", thousands(wrong), thousands(looked))
	return p
}

func lives(steps []*Step, b Backend) Promise {
	p := Promise{Name: fmt.Sprintf("every key keeps its time to live, within %s", words(b.tolerance())), Kept: true}
	looked, wrong, outlived, off := 0, 0, 0, 0.0
	for _, s := range steps {
		if s == nil {
			p.Kept = false
			continue
		}
		looked, wrong, outlived = looked+s.Verified.Checked, wrong+s.Verified.WrongTTL, outlived+s.Finding.Outlived
		off = max(off, s.Verified.OffMS)
	}
	p.Kept = p.Kept && wrong+outlived == 0
	p.Detail = fmt.Sprintf("%s of %s differ by more, the most by %.1f ms; %s outlived their time", thousands(wrong), thousands(looked), off, thousands(outlived))
	return p
}

func (d *demo) agreed() Promise {
	p := Promise{Name: "in the end all agents and the client have the same ring", Kept: d.unfinished == nil && d.disagreement == nil}
	switch {
	case d.disagreement != nil:
		p.Detail = d.disagreement.Error()
	case d.unfinished != nil:
		p.Detail = notReached
	default:
		p.Detail = fmt.Sprintf("%d agents at epoch %d", len(d.fleet.nodes), d.watch.now().epoch)
	}
	return p
}
