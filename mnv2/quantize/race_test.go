//go:build race

package quantize

func init() { raceDetector = true }
