package publish

import "strings"

// Payloads of status and pause topics.
const (
	Online  = "online"
	Offline = "offline"
	On      = "ON"
	Off     = "OFF"
)

// Topics below <base topic>/<node>/.
const (
	InfoTopic  = "info"
	StatsTopic = "stats"

	nodeStatusTopic = "status"
)

// CameraStatusTopic says whether a camera's pictures arrive: Online or Offline.
func CameraStatusTopic(camera string) string { return camera + "/status" }

// PauseTopic says whether a camera is paused: On or Off.
func PauseTopic(camera string) string { return camera + "/pause" }

// StateTopic is for a region's pipeline.State.
func StateTopic(camera, region string) string { return camera + "/" + region + "/state" }

// ScoresTopic is for a region's Scores.
func ScoresTopic(camera, region string) string { return camera + "/" + region + "/scores" }

// SnapshotTopic is for the JPEG of a region's last event.
func SnapshotTopic(camera, region string) string { return camera + "/" + region + "/snapshot" }

func eventTopic(camera, region string) string { return camera + "/" + region + "/event" }

func pauseSetTopic(camera string) string { return PauseTopic(camera) + "/set" }

// cameraTopics and regionTopics are the retained topics that go with a camera or a region. The first one is there
// whenever any of them is, and so it is the one to look for.
func cameraTopics(camera string) []string {
	return []string{CameraStatusTopic(camera), PauseTopic(camera)}
}

func regionTopics(camera, region string) []string {
	return []string{StateTopic(camera, region), SnapshotTopic(camera, region)}
}

// place says of which camera, and of which of its regions, a topic below the node's is; "" is none.
func place(topic string) (camera, region string) {
	switch parts := strings.Split(topic, "/"); len(parts) {
	case 2:
		return parts[0], ""
	case 3:
		return parts[0], parts[1]
	}
	return "", ""
}
