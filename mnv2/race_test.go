//go:build race

package mnv2_test

func init() { raceDetector = true }
