//go:build race

package memcache

const raceDetector = true
