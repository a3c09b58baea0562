"""Files: storage tables, XML documents and the paths inside them."""

from ceinms_torch.io.paths import resolve_path as resolve_path
from ceinms_torch.io.storage import Storage as Storage
from ceinms_torch.io.storage import read_storage as read_storage
from ceinms_torch.io.storage import write_storage as write_storage
from ceinms_torch.io.xml_document import XmlDocument as XmlDocument
from ceinms_torch.io.xml_document import read_document as read_document
from ceinms_torch.io.xml_node import XmlNode as XmlNode
