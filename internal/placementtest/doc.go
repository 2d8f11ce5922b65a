// Package placementtest holds what the tests of placements have in common, so
// that the test of one reads as a list of what holds for it.
//
// A package says once what it is, as a [Kind], and then names the checks:
//
//	var kind = placementtest.Kind[*Jump, Config]{
//		New:  New,
//		With: func(h ring.Hasher) Config { return Config{Hasher: h} },
//		Zero: new(Jump),
//	}
//
//	func TestZeroJump(t *testing.T) { kind.OwnsNothing(t) }
//
// A check calls Fatal or Errorf where it fails. What is particular to one
// placement (its oracle, its closed forms, its published vectors) stays in its
// own package.
package placementtest
