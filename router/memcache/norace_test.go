//go:build !race

package memcache

const raceDetector = false
