//go:build !race

package testfiles

// RaceDetector tells whether the build has it: everything then takes twenty times as long.
const RaceDetector = false
