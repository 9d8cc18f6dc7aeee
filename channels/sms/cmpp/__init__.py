"""CMPP 2.0 and 3.0 (中国移动通信互联网短信网关接口协议), the protocol of the Chinese carriers' gateways (ISMG)."""
