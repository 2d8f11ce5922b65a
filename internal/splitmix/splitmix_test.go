package splitmix

import "testing"

// The first elements at the seed 1234567, which implementations in many
// languages share: https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
func TestPublishedSequence(t *testing.T) {
	const seed = 1234567
	for n, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423,
		4593380528125082431, 16408922859458223821} {
		if got := At(seed, uint64(n)); got != want || Mix(seed+uint64(n+1)*Gamma) != want {
			t.Errorf("element %d: got %d, want %d", n, got, want)
		}
	}
	if Mix(0) != 0 {
		t.Errorf("Mix(0): got %d", Mix(0))
	}
}
