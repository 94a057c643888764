"""NDMP dialogues in captured packets: from pcap and pcapng files over TCP to decoded messages."""
